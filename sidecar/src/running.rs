//! A sidecar at work: from its first readiness to its end.
use crate::components::Live;
use crate::options::Options;
use crate::{actors, app, scheduler};
use block_binding::Reader;
use block_host::{Health, Target};
use block_pubsub::Subscriber;
use block_state::Outbox;
use component_api::pubsub::Publishing;
use foundation_app::{AppOptions, Channel};
use foundation_drain::Drain;
use foundation_metadata::duration::format;
use foundation_peer::Peers;
use foundation_scheduler::Client;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const SCOPE: &str = "dapr.runtime";
/// How long a healthy app may take to say so before the sidecar is ready.
const FIRST_PROBE: Duration = Duration::from_millis(500);
/// Calls that last longer are cut at the end of the grace anyway.
const PATIENCE: Duration = Duration::from_secs(3600);
/// The part of the grace that jobs and reminders in work may take.
const HANDOVER: f32 = 0.6;

/// Who owns the tasks: those of servers end before those that they need.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drains {
    pub(crate) api: Drain,
    pub(crate) background: Drain,
    pub(crate) reload: Drain,
}

/// The parts that have to be ready (surface.md 5.4).
pub(crate) struct Targets {
    runtime: Target,
    grpc: Target,
    internal: Target,
    metrics: Option<Target>,
    outbound: Health,
}

impl Targets {
    pub(crate) fn new(health: &Health, outbound: &Health, metrics: bool) -> Self {
        Self {
            runtime: health.target("runtime"),
            grpc: health.target("grpc-api-server"),
            internal: health.target("grpc-internal-server"),
            metrics: metrics.then(|| health.target("metrics-exporter")),
            outbound: outbound.clone(),
        }
    }

    pub(crate) fn metrics_are_up(&self) {
        self.metrics.iter().for_each(Target::ready);
    }

    pub(crate) fn grpc_is_up(&self) {
        self.grpc.ready();
    }

    pub(crate) fn internal_is_up(&self) {
        self.internal.ready();
    }
}

/// A sidecar whose servers listen.
pub(crate) struct Sidecar {
    pub(crate) app_options: Option<AppOptions>,
    pub(crate) app: Option<Arc<dyn Channel>>,
    pub(crate) actors: Arc<block_actor::Service>,
    pub(crate) scheduler: Option<Arc<Client>>,
    pub(crate) subscriber: Arc<Subscriber>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) configuration: Arc<block_configuration::Service>,
    pub(crate) live: Live,
    pub(crate) peers: Arc<Peers>,
    pub(crate) targets: Targets,
    pub(crate) drains: Drains,
}

impl Sidecar {
    /// Waits for the app, asks it what it wants, and is ready then.
    pub(crate) async fn get_ready(&self, options: &Options) {
        self.targets.outbound.target("app").ready();
        if let (Some(app), Some(app_options)) = (&self.app, &self.app_options) {
            app::wait(app_options).await;
            self.attach(Arc::clone(app), options).await;
        } else {
            actors::host(&self.actors, None, None);
        }
        self.outbox.reconcile().await;
        self.targets.runtime.ready();
    }

    /// Without health checks the app is asked at once, else when it is healthy for the first time.
    async fn attach(&self, app: Arc<dyn Channel>, options: &Options) {
        let ask_config = options.app.ask_config;
        if options.app.health.is_none() {
            let configuration = app::load_configuration(&*app, ask_config).await;
            self.subscriber.start().await;
            self.reader.start().await;
            actors::host(&self.actors, Some(&app), configuration);
            self.scheduler.iter().for_each(|scheduler| scheduler.want(|wanted| wanted.jobs = true));
            return;
        }
        app.start_health_checks(&self.drains.background);
        let mut first = app.health().watch();
        if let Some(scheduler) = self.scheduler.clone() {
            let app = Arc::clone(&app);
            self.drains.background.spawn_until_stopped(async move { scheduler::follow_health(&scheduler, &app).await });
        }
        let (subscriber, reader) = (Arc::clone(&self.subscriber), Arc::clone(&self.reader));
        let actors = Arc::clone(&self.actors);
        self.drains.background.spawn_until_stopped(async move {
            let mut health = app.health().watch();
            if health.wait_for(|healthy| *healthy).await.is_ok() {
                let configuration = app::load_configuration(&*app, ask_config).await;
                subscriber.follow_health();
                reader.follow_health();
                actors::follow_health(&actors, &app, configuration).await;
            }
        });
        // Who waits for this sidecar calls the app next: it may as well be known to be healthy by then.
        timeout(FIRST_PROBE, first.wait_for(|healthy| *healthy)).await.ok();
    }

    /// Takes nothing more from brokers and puts the end off until the time is up or the app is unhealthy.
    pub(crate) async fn block_end(&self, duration: Duration) {
        let shown = format(duration);
        tracing::info!(target: SCOPE, "Blocking graceful shutdown for {shown} or until app reports unhealthy...");
        self.end_intake(Publishing::GoesOn).await;
        tokio::select! {
            () = tokio::time::sleep(duration) => {
                tracing::info!(target: SCOPE, "Block shutdown period expired, entering shutdown...");
            }
            () = self.unhealthy() => tracing::info!(target: SCOPE, "App reported unhealthy, entering shutdown..."),
        }
    }

    /// Takes nothing more from brokers and bindings; what is in work is finished.
    async fn end_intake(&self, publishing: Publishing) {
        self.scheduler.iter().for_each(|scheduler| scheduler.want(|wanted| wanted.jobs = false));
        tokio::join!(self.subscriber.end(publishing), self.reader.end());
    }

    async fn unhealthy(&self) {
        if let Some(mut health) = self.app.as_ref().map(|app| app.health().watch()) {
            health.wait_for(|healthy| !*healthy).await.ok();
            return;
        }
        std::future::pending().await
    }

    /// Ends all parts: first what comes in, then the servers when their calls are answered, then what both needed.
    pub(crate) async fn end(&self, grace: Duration) {
        // A job that the app does not end is cut off, so that the rest can end within the grace.
        let handover = if grace.is_zero() { PATIENCE } else { grace.mul_f32(HANDOVER) };
        tracing::info!(target: SCOPE, "Dapr is shutting down");
        self.drains.reload.close(PATIENCE).await;
        self.end_intake(Publishing::Ends).await;
        self.configuration.end();
        self.actors.end().await;
        if let Some(scheduler) = &self.scheduler {
            scheduler.end(handover).await;
        }
        self.targets.grpc.not_ready();
        self.drains.api.close(PATIENCE).await;
        self.outbox.end().await;
        if let Err(error) = self.peers.close().await {
            tracing::warn!(target: SCOPE, "error closing the name resolver: {error}");
        }
        self.live.close().await;
        self.drains.background.close(PATIENCE).await;
        tracing::info!(target: SCOPE, "Dapr runtime stopped");
    }
}
