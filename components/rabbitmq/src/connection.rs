//! One connection for everything that a component does, made when it is first needed and made anew after it broke.
use crate::server::Server;
use component_api::{Error, Kind, OnDemand, Result};
use lapin::options::ConfirmSelectOptions;
use lapin::{Channel, Connection};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// How long the server may take to answer, to the confirmation of a message too.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a connection may take to end.
const CLOSING: Duration = Duration::from_secs(5);

/// A server and the connection to it.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) server: Arc<Server>,
    /// Publishing waits for the server's word that it has the message.
    confirms: bool,
    link: OnDemand<Link>,
}

/// A connection, and the channel that messages are published on.
#[derive(Clone)]
pub(crate) struct Link {
    connection: Arc<Connection>,
    pub(crate) channel: Channel,
    /// Exchanges that were declared on this connection.
    declared: Arc<Mutex<BTreeSet<String>>>,
}

impl Connections {
    pub(crate) fn new(server: Server, confirms: bool) -> Self {
        Self { server: Arc::new(server), confirms, link: OnDemand::default() }
    }

    /// The connection, or a new one in the place of one that broke.
    pub(crate) async fn link(&self) -> Result<Link> {
        let connect = || {
            let (server, confirms) = (Arc::clone(&self.server), self.confirms);
            async move { Link::open(&server, confirms).await }
        };
        let (link, serial) = self.link.get(connect).await?;
        if link.is_usable() {
            return Ok(link);
        }
        self.link.discard(serial);
        Ok(self.link.get(connect).await?.0)
    }

    /// A channel of its own.
    pub(crate) async fn channel(&self) -> Result<Channel> {
        let link = self.link().await?;
        self.within(link.connection.create_channel()).await
    }

    /// The server's answer to something, in the components' terms.
    pub(crate) async fn within<T>(&self, answer: impl Future<Output = lapin::Result<T>>) -> Result<T> {
        within(&self.server, answer).await
    }

    /// Does something with the connection; once more, with a new one, when the one that there is turns out to be broken.
    pub(crate) async fn with_link<'a, T, F>(&self, work: impl Fn(Link) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>> + 'a,
    {
        match work(self.link().await?).await {
            Err(error) if error.kind() == Kind::Unavailable => work(self.link().await?).await,
            done => done,
        }
    }

    /// Whether the server is there and lets us in.
    pub(crate) async fn ping(&self) -> Result<()> {
        self.link().await.map(drop)
    }

    /// Ends the connection.
    pub(crate) async fn close(&self) {
        if let Some(link) = self.link.take() {
            timeout(CLOSING, link.connection.close(200, "the component ends".into())).await.ok();
        }
    }
}

impl Link {
    async fn open(server: &Server, confirms: bool) -> Result<Self> {
        let connection = Arc::new(server.connect().await?);
        let channel = within(server, connection.create_channel()).await?;
        if confirms {
            within(server, channel.confirm_select(ConfirmSelectOptions::default())).await?;
        }
        Ok(Self { connection, channel, declared: Arc::default() })
    }

    fn is_usable(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    pub(crate) fn has_declared(&self, exchange: &str) -> bool {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner).contains(exchange)
    }

    pub(crate) fn note_declared(&self, exchange: &str) {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner).insert(exchange.to_owned());
    }
}

async fn within<T>(server: &Server, answer: impl Future<Output = lapin::Result<T>>) -> Result<T> {
    let answer = timeout(ANSWER, answer).await.map_err(|_| server.too_slow(ANSWER))?;
    answer.map_err(|error| server.translate(&error))
}

/// The error of a component that has ended.
pub(crate) fn closed() -> Error {
    Error::other("component is closed")
}
