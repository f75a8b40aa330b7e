//! What there is only with a placement service, put together.
use crate::due::Due;
use crate::hosts::Hosts;
use crate::network::{Neighbours, Replicas};
use crate::placement::{self, Placement, Report};
use crate::reminders::Reminders;
use crate::router::Router;
use crate::state::ActorState;
use crate::store_watch::StoreWatch;
use crate::timers::Timers;
use component_api::Live;
use component_api::state::Store;
use foundation_drain::Drain;
use foundation_peer::Own;
use foundation_resiliency::Resiliency;
use foundation_scheduler::Client;
use foundation_telemetry::Metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const SCOPE: &str = "dapr.runtime.actor";
/// Longest time for giving actors to other hosts at the end.
const HANDOVER: Duration = Duration::from_secs(3);

/// What actors are run with. The default is a sidecar without actors.
#[derive(Default)]
pub struct Options {
    /// None is a sidecar without actors.
    pub placement: Option<Arc<dyn Replicas>>,
    /// How long the placement service may take for a round.
    pub dissemination_timeout: Duration,
    /// Whether keys of actors may live for a while only.
    pub allows_ttl: bool,
    /// Whether apps may register on a stream: those over HTTP are asked instead.
    pub allows_streams: bool,
    /// Keeps reminders; without one there are none.
    pub scheduler: Option<Arc<Client>>,
    pub resiliency: Resiliency,
    pub metrics: Metrics,
}

/// What there is only with a placement service.
pub(crate) struct Runtime {
    pub(crate) placement: Arc<Placement>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) router: Arc<Router>,
    pub(crate) state: ActorState,
    pub(crate) store: StoreWatch,
    pub(crate) timers: Arc<Timers>,
    pub(crate) reminders: Arc<Reminders>,
    pub(crate) due: Arc<Due>,
    pub(crate) client: Arc<placement::Client>,
    /// Cancelled to let go of the placement service.
    pub(crate) leaving: CancellationToken,
    pub(crate) app_id: String,
    pub(crate) namespace: String,
}

impl Runtime {
    pub(crate) fn new(
        service: Arc<dyn Replicas>,
        options: &Options,
        (own, neighbours): (&Own, Arc<dyn Neighbours>),
        stores: Live<dyn Store>,
        drain: &Drain,
    ) -> Self {
        let (resiliency, metrics) = (options.resiliency.clone(), options.metrics.clone());
        let (app_id, namespace) = (own.app_id.clone(), own.namespace.clone());
        let name = name_of(&own.address, own.internal_port);
        let report = Report { name: name.clone(), app_id: app_id.clone(), namespace: namespace.clone() };
        let hosts = Arc::new(Hosts::new(metrics.clone(), drain));
        let placement = Arc::new(Placement::new(name));
        let router = Arc::new(Router {
            placement: Arc::clone(&placement),
            hosts: Arc::clone(&hosts),
            neighbours,
            resiliency: resiliency.clone(),
        });
        let timers = Timers::new(Arc::clone(&router), Arc::clone(&hosts), metrics.clone(), drain);
        let state = ActorState {
            app_id: app_id.clone(),
            stores,
            allows_ttl: options.allows_ttl,
            hosts: Arc::clone(&hosts),
            resiliency,
            metrics: metrics.clone(),
        };
        let reminders = Reminders {
            hosts: Arc::clone(&hosts),
            placement: Arc::clone(&placement),
            scheduler: options.scheduler.clone(),
            app_id: app_id.clone(),
            namespace: namespace.clone(),
        };
        let due = Due { router: Arc::clone(&router), metrics: metrics.clone() };
        let client = placement::Client {
            service,
            report,
            placement: Arc::clone(&placement),
            hosts: Arc::clone(&hosts),
            timeout: options.dissemination_timeout,
            metrics,
        };
        Self {
            placement,
            router,
            state,
            store: StoreWatch::default(),
            timers: Arc::new(timers),
            reminders: Arc::new(reminders),
            due: Arc::new(due),
            client: Arc::new(client),
            leaving: CancellationToken::new(),
            hosts,
            app_id,
            namespace,
        }
    }

    /// Gives all actors to other hosts, and lets go of the placement service.
    pub(crate) async fn end(&self) {
        tracing::info!(target: SCOPE, "Actor runtime shutting down");
        self.hosts.withdraw();
        // As long as the service is there, others take over in a round; else actors just end.
        if self.placement.is_ready() {
            timeout(HANDOVER, self.hosts.until_empty()).await.ok();
        }
        self.leaving.cancel();
        self.placement.end();
        self.hosts.halt_all().await;
        tracing::info!(target: SCOPE, "Actor runtime stopped");
    }
}

/// Host and port; IPv6 addresses are in brackets.
fn name_of(address: &str, port: u16) -> String {
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    if bare.contains(':') { format!("[{bare}]:{port}") } else { format!("{bare}:{port}") }
}
