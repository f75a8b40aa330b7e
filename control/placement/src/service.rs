//! The gRPC service, and the process around it.
use crate::authorization::check;
use crate::dissemination::{Dissemination, Event, follows};
use crate::election::Lease;
use crate::identity::authorize;
use crate::leadership;
use crate::metrics::{Metrics, RefusedReports};
use crate::namespace::{Settings, StreamId};
use crate::options::Options;
pub(crate) use crate::orders::SharedOrders;
use crate::orders::{Ending, orders};
use crate::state;
use anyhow::Context as _;
use axum::Router;
use foundation_drain::Drain;
use foundation_identity::{ClientAuth, SpiffeId};
use foundation_process::{Context, Http2, KeepAlive, Refused, listen, serve_http2};
use foundation_telemetry::{MetricsError, Registry};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tonic::Status;
use wire::placement::v1::{Host, PlacementOrder, StatePlacementTables};

const SCOPE: &str = "dapr.placement.server";
pub(crate) const APP_ID: &str = "dapr-placement";
/// Reports that are not worked on yet, of all streams together.
const WAITING_EVENTS: usize = 4096;

/// How long a stream may be silent before its first report.
const PATIENCE: Duration = Duration::from_secs(30);

/// Orders for one stream.
pub type Answers = BoxStream<'static, Result<PlacementOrder, Status>>;

/// Takes reports of sidecars. Clones share the same tables.
#[derive(Clone)]
pub struct Service {
    id: String,
    lead: watch::Receiver<Option<Lease>>,
    events: mpsc::Sender<Event>,
    refused: Arc<RefusedReports>,
    drain: Drain,
    streams: Arc<AtomicU64>,
}

impl Service {
    /// Starts the task that owns the tables. `id` is the name of this replica, which serves while `lead` says so.
    ///
    /// # Errors
    /// Metrics that are registered already.
    pub fn new(
        settings: Settings,
        (id, lead): (&str, watch::Receiver<Option<Lease>>),
        registry: &Registry,
        drain: &Drain,
    ) -> Result<Self, MetricsError> {
        let (events, received) = mpsc::channel(WAITING_EVENTS);
        let dissemination = Dissemination::new(settings, Metrics::new(registry)?, id.to_owned(), lead.clone());
        drain.spawn(dissemination.run(received, drain.token()));
        let refused = Arc::new(RefusedReports::new(registry)?);
        Ok(Self { id: id.to_owned(), lead, events, refused, drain: drain.clone(), streams: Arc::default() })
    }

    /// The tables of all namespaces.
    ///
    /// # Errors
    /// Unavailable while the service ends, failed precondition where another replica leads.
    pub async fn state(&self) -> Result<StatePlacementTables, Status> {
        let (answer, state) = tokio::sync::oneshot::channel();
        self.events.send(Event::State(answer)).await.map_err(|_| ending())?;
        state.await.map_err(|_| ending())?.ok_or_else(|| follows(&self.id))
    }

    /// Takes a stream of reports, and gives the orders that answer them. `peer` is who sends it, if that is proven.
    ///
    /// # Errors
    /// The refusal of the first report; unavailable while the service ends, failed precondition where another replica leads.
    pub async fn serve<S>(&self, peer: Option<SpiffeId>, reports: S) -> Result<Answers, Status>
    where
        S: Stream<Item = Result<Host, Status>> + Send + Unpin + 'static,
    {
        let orders = self.take(peer, reports).await?;
        Ok(orders.map(|order| order.map(|order| order.message.clone())).boxed())
    }

    /// The same, with orders that are shared.
    pub(crate) async fn take<S>(&self, peer: Option<SpiffeId>, mut reports: S) -> Result<SharedOrders, Status>
    where
        S: Stream<Item = Result<Host, Status>> + Send + Unpin + 'static,
    {
        if self.lead.borrow().is_none() {
            return Err(follows(&self.id));
        }
        let first = timeout(PATIENCE, reports.next()).await.map_err(|_| silent())?.transpose()?;
        let host = first.ok_or_else(|| Status::invalid_argument("received nil host report"))?;
        self.admit(peer.as_ref(), &host)?;
        tracing::info!(target: SCOPE, "Received status report connection from new namespace={} id={} host={}", host.namespace, host.id, host.name);
        let stream = StreamId(self.streams.fetch_add(1, Ordering::Relaxed));
        let (orders, received) = orders();
        let end = orders.ending();
        self.events.send(Event::Join(stream, host, orders)).await.map_err(|_| ending())?;
        let mut follower = Follower { service: self.clone(), stream, peer, reports, end };
        self.drain.spawn_until_stopped(async move { follower.run().await });
        Ok(received)
    }

    fn admit(&self, peer: Option<&SpiffeId>, host: &Host) -> Result<(), Status> {
        let checked = check(host).map_err(Status::from).and_then(|()| authorize(peer, host));
        checked.inspect_err(|refusal| {
            self.refused.count();
            tracing::debug!(target: SCOPE, "refused a report of {:.64}/{:.64}: {}", host.namespace, host.id, refusal.message());
        })
    }
}

/// Whether there was still somebody to be told. It is boxed, for each stream would keep its room while nothing is reported.
type Told = Pin<Box<dyn Future<Output = bool> + Send>>;

/// What reads the reports of a stream.
struct Follower<S> {
    service: Service,
    stream: StreamId,
    peer: Option<SpiffeId>,
    reports: S,
    end: Ending,
}

impl<S: Stream<Item = Result<Host, Status>> + Send + Unpin> Follower<S> {
    /// Passes what the stream reports on until it ends. The orders end with those who give them, and here where a report is refused.
    async fn run(&mut self) {
        while let Some(told) = self.reports.next().await.and_then(|report| self.pass_on(report.ok()?)) {
            if !told.await {
                break;
            }
        }
        self.tell(Event::Leave(self.stream)).await;
    }

    fn pass_on(&self, host: Host) -> Option<Told> {
        match self.service.admit(self.peer.as_ref(), &host) {
            Ok(()) => Some(self.tell(Event::Message(self.stream, host))),
            Err(refusal) => {
                self.end.end(refusal);
                None
            }
        }
    }

    /// Tells of an event.
    fn tell(&self, event: Event) -> Told {
        let events = self.service.events.clone();
        Box::pin(async move { events.send(event).await.is_ok() })
    }
}

fn silent() -> Status {
    Status::deadline_exceeded("no report came within 30 seconds of the stream's begin; the first message must be one")
}

fn ending() -> Status {
    Status::unavailable("placement server is shutting down")
}

/// A placement service that has been started in a process.
#[derive(Debug)]
pub struct Started {
    /// The port that sidecars report to.
    pub port: u16,
    /// For the health server.
    pub routes: Router,
}

/// Starts the service in a process.
///
/// # Errors
/// A port that is taken.
pub async fn start(options: &Options, context: &Context) -> anyhow::Result<Started> {
    let identity = match &options.mtls {
        Some(mtls) => Some(mtls.identity(APP_ID, &context.drain).await.context("cannot get an identity")?),
        None => None,
    };
    let refused = Refused::new(&context.metrics, "placement")?;
    let lead = leadership::start(options, identity.as_ref(), refused.clone(), &context.drain).await?;
    let service = Service::new(options.settings, (&options.id, lead), &context.metrics, &context.drain)?;
    let listener = listen::tcp(&options.address, options.port).await;
    let listener = listener.with_context(|| format!("cannot listen on port {}; check --port", options.port))?;
    let port = listener.local_addr()?.port();
    tracing::info!(target: SCOPE, "placement service started on port {port}");
    let keep_alive = KeepAlive { interval: options.keepalive_time, timeout: options.keepalive_timeout };
    let acceptor = identity.map(|identity| identity.acceptor(ClientAuth::Required)).transpose()?;
    serve_http2(Http2::new(service.clone(), keep_alive), listener, acceptor, &context.drain, refused);
    context.ready.set(true);
    Ok(Started { port, routes: if options.serves_state { state::routes(service) } else { Router::new() } })
}
