//! One connection for everything that a component does, made when it is first needed. The library makes it anew after it broke.
use crate::SCOPE;
use crate::error::{Failure, translate};
use crate::server::Server;
use async_nats::jetstream::{Context, ContextBuilder};
use async_nats::{Client, Event};
use component_api::{Error, OnDemand, Outage, Result};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long the server may take to answer, and how long something waits for a connection that was lost.
const ANSWER: Duration = Duration::from_secs(5);
/// How long what is on its way may take to go out when the connection ends.
const CLOSING: Duration = Duration::from_secs(5);

/// Where the interface of JetStream is, if not where it usually is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interface {
    pub(crate) domain: String,
    pub(crate) prefix: String,
}

/// Servers and the connection to one of them.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) server: Arc<Server>,
    interface: Interface,
    link: OnDemand<Link>,
    is_closed: AtomicBool,
}

/// A connection.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) context: Context,
    server: Arc<Server>,
    presence: watch::Receiver<Presence>,
}

/// Whether the server is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Presence {
    is_there: bool,
    /// How often it came back.
    pub(crate) returns: u64,
}

impl Connections {
    pub(crate) fn new(server: Server, interface: Interface) -> Self {
        Self { server: Arc::new(server), interface, link: OnDemand::default(), is_closed: AtomicBool::new(false) }
    }

    /// The connection, which may be away for a while.
    ///
    /// # Errors
    /// There was none yet and none can be made, or the component is closed.
    pub(crate) async fn link(&self) -> Result<Link> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let connect = || Link::open(Arc::clone(&self.server), self.interface.clone());
        Ok(self.link.get(connect).await?.0)
    }

    /// Whether the server is there and lets us in.
    pub(crate) async fn ping(&self) -> Result<()> {
        self.link().await?.is_there().await
    }

    /// Ends the connection after what was sent has gone out.
    pub(crate) async fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        if let Some(link) = self.link.take() {
            link.flush().await;
            timeout(CLOSING, link.client.drain()).await.ok();
        }
    }
}

impl Link {
    async fn open(server: Arc<Server>, interface: Interface) -> Result<Self> {
        let (sender, presence) = watch::channel(Presence { is_there: true, returns: 0 });
        let (name, outage) = (server.name.clone(), Mutex::new(Outage::default()));
        let client = server.connect(move |event| note(&sender, &name, &outage, event)).await?;
        let builder = ContextBuilder::new().timeout(ANSWER).backpressure_on_inflight(true);
        let context = match (interface.prefix.as_str(), interface.domain.as_str()) {
            ("", "") => builder.build(client.clone()),
            ("", domain) => ContextBuilder::new().domain(domain).timeout(ANSWER).build(client.clone()),
            (prefix, _) => ContextBuilder::new().api_prefix(prefix).timeout(ANSWER).build(client.clone()),
        };
        Ok(Self { client, context, server, presence })
    }

    /// The server's answer to something, in the components' terms.
    ///
    /// # Errors
    /// The server is away, or goes away before it has answered: then it may have done what was asked.
    pub(crate) async fn within<T, E: Failure>(
        &self,
        work: impl Future<Output = std::result::Result<T, E>>,
    ) -> Result<T> {
        self.is_there().await?;
        let mut presence = self.presence.clone();
        let now = *presence.borrow_and_update();
        tokio::select! {
            biased;
            answer = timeout(ANSWER, work) => {
                let answer = answer.map_err(|_| self.server.too_slow(ANSWER))?;
                answer.map_err(|error| translate(&self.server.name, &error))
            }
            _ = presence.wait_for(|presence| *presence != now) => Err(self.server.away()),
        }
    }

    /// Waits a while for a connection that was lost.
    async fn is_there(&self) -> Result<()> {
        let mut presence = self.presence.clone();
        let there = timeout(ANSWER, presence.wait_for(|presence| presence.is_there)).await;
        there.map_err(|_| self.server.away())?.map(drop).map_err(|_| closed())
    }

    /// Tells when the server went away and came back.
    pub(crate) fn presence(&self) -> watch::Receiver<Presence> {
        self.presence.clone()
    }

    /// Waits until what was sent has gone out, for a while.
    pub(crate) async fn flush(&self) {
        timeout(CLOSING, self.client.flush()).await.ok();
    }
}

fn note(presence: &watch::Sender<Presence>, server: &str, outage: &Mutex<Outage>, event: &Event) {
    let mut outage = outage.lock().unwrap_or_else(PoisonError::into_inner);
    match event {
        Event::Connected => {
            // The first connection is one that never went away.
            let is_back = presence.send_if_modified(|presence| {
                let was_away = !presence.is_there;
                *presence = Presence { is_there: true, returns: presence.returns + u64::from(was_away) };
                was_away
            });
            if is_back && outage.worked() {
                tracing::info!(target: SCOPE, "nats: the server at {server} is there again");
            }
        }
        Event::Disconnected | Event::Closed => {
            presence.send_modify(|presence| presence.is_there = false);
            if *event == Event::Disconnected && outage.failed() {
                tracing::warn!(target: SCOPE, "nats: the connection to {server} is lost");
            }
        }
        Event::SlowConsumer(_) => {
            tracing::warn!(target: SCOPE, "nats: messages come faster than the app takes them; some come again")
        }
        Event::ServerError(error) => tracing::warn!(target: SCOPE, "nats: the server at {server} says: {error}"),
        _ => {}
    }
}

/// The error of a component that has ended.
pub(crate) fn closed() -> Error {
    Error::other("component is closed")
}
