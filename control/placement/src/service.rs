//! The gRPC service, and the process around it.
use crate::authorization::check;
use crate::dissemination::{Dissemination, Event, Orders, WAITING_ORDERS};
use crate::identity::authorize;
use crate::metrics::Metrics;
use crate::namespace::{Settings, StreamId};
use crate::options::Options;
use crate::state;
use anyhow::Context as _;
use axum::Router;
use foundation_drain::Drain;
use foundation_identity::{ClientAuth, SpiffeId};
use foundation_process::{Context, listen, peer, serve_grpc};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming, async_trait};
use wire::placement::v1::placement_server::{Placement, PlacementServer};
use wire::placement::v1::{Host, PlacementOrder, StatePlacementTables};

const SCOPE: &str = "dapr.placement.server";
const APP_ID: &str = "dapr-placement";
/// Reports that are not worked on yet, of all streams together.
const WAITING_EVENTS: usize = 4096;

/// Takes reports of sidecars. Clones share the same tables.
#[derive(Clone)]
pub struct Service {
    events: mpsc::Sender<Event>,
    drain: Drain,
    streams: Arc<AtomicU64>,
}

impl Service {
    /// Starts the task that owns the tables.
    pub(crate) fn start(settings: Settings, metrics: Metrics, drain: &Drain) -> Self {
        let (events, received) = mpsc::channel(WAITING_EVENTS);
        drain.spawn(Dissemination::new(settings, metrics).run(received, drain.token()));
        Self { events, drain: drain.clone(), streams: Arc::default() }
    }

    /// The tables of all namespaces.
    ///
    /// # Errors
    /// Unavailable while the service ends.
    pub async fn state(&self) -> Result<StatePlacementTables, Status> {
        let (answer, state) = tokio::sync::oneshot::channel();
        self.events.send(Event::State(answer)).await.map_err(|_| ending())?;
        state.await.map_err(|_| ending())
    }

    /// Passes what a stream reports on until it ends.
    async fn follow(self, stream: StreamId, peer: Option<SpiffeId>, mut reports: Streaming<Host>, orders: Orders) {
        loop {
            let host = match reports.message().await {
                Ok(Some(host)) => host,
                Ok(None) | Err(_) => break,
            };
            let checked = check(&host).map_err(Status::from).and_then(|()| authorize(peer.as_ref(), &host));
            if let Err(refusal) = checked {
                orders.send(Err(refusal)).await.ok();
                break;
            }
            if self.events.send(Event::Message(stream, host)).await.is_err() {
                break;
            }
        }
        self.events.send(Event::Leave(stream)).await.ok();
    }
}

#[async_trait]
impl Placement for Service {
    type ReportDaprStatusStream = ReceiverStream<Result<PlacementOrder, Status>>;

    async fn report_dapr_status(
        &self,
        request: Request<Streaming<Host>>,
    ) -> Result<Response<Self::ReportDaprStatusStream>, Status> {
        let peer = peer(&request);
        let mut reports = request.into_inner();
        let host = reports.message().await?.ok_or_else(|| Status::invalid_argument("received nil host report"))?;
        check(&host)?;
        authorize(peer.as_ref(), &host)?;
        tracing::info!(target: SCOPE, "received status report connection from new namespace={} id={} host={}", host.namespace, host.id, host.name);
        let stream = StreamId(self.streams.fetch_add(1, Ordering::Relaxed));
        let (orders, received) = mpsc::channel(WAITING_ORDERS);
        let joined = self.events.send(Event::Join(stream, host, orders.clone())).await;
        joined.map_err(|_| ending())?;
        self.drain.spawn_until_stopped(self.clone().follow(stream, peer, reports, orders));
        Ok(Response::new(ReceiverStream::new(received)))
    }
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
    let service = Service::start(options.settings, Metrics::new(&context.metrics)?, &context.drain);
    let listener = listen::tcp(&options.address, options.port).await;
    let listener = listener.with_context(|| format!("cannot listen on port {}; check --port", options.port))?;
    let port = listener.local_addr()?.port();
    tracing::info!(target: SCOPE, "placement service started on port {port}");
    let server = Server::builder()
        .http2_keepalive_interval(Some(options.keepalive_time))
        .http2_keepalive_timeout(Some(options.keepalive_timeout))
        .add_service(PlacementServer::new(service.clone()));
    let acceptor = identity.map(|identity| identity.acceptor(ClientAuth::Required)).transpose()?;
    let drain = context.drain.clone();
    let refused = |error: &std::io::Error| tracing::debug!(target: SCOPE, "handshake failed: {error}");
    context.drain.spawn(async move {
        if let Err(error) = serve_grpc(server, listener, acceptor, &drain, refused).await {
            tracing::error!(target: SCOPE, "placement service failed: {error}");
            drain.stop();
        }
    });
    context.ready.set(true);
    Ok(Started { port, routes: if options.serves_state { state::routes(service) } else { Router::new() } })
}
