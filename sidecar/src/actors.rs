//! Actors of this sidecar: where their placement service is, and what the app hosts as long as it is healthy.
use crate::options::Options;
use crate::scheduler;
use block_actor::{Replicas, RuntimeStatus, Service};
use block_host::{ActiveActors, ActorRuntime, ActorStatus};
use foundation_app::Channel;
use foundation_identity::Identity;
use foundation_resiliency::Resiliency;
use foundation_scheduler::Client;
use foundation_telemetry::Metrics;
use serde_json::Value;
use std::sync::Arc;

const SCOPE: &str = "dapr.runtime";
const PLACEMENT: &str = "dapr-placement";
/// The preview feature of keys that live for a while only.
const TTL: &str = "ActorStateTTL";

/// What actors are run with.
///
/// # Errors
/// A trust domain of the control plane that is none.
pub(crate) fn options(
    options: &Options,
    identity: Option<&Identity>,
    features: &[String],
    scheduler: Option<Arc<Client>>,
    (resiliency, metrics): (Resiliency, Metrics),
) -> anyhow::Result<block_actor::Options> {
    let service: Arc<dyn Replicas> =
        Arc::new(scheduler::service(options, identity, PLACEMENT, options.placement.clone())?);
    Ok(block_actor::Options {
        placement: (!options.placement.is_empty()).then_some(service),
        dissemination_timeout: options.dissemination_timeout,
        allows_ttl: features.iter().any(|feature| feature == TTL),
        allows_streams: options.app.port.is_none() || options.app.protocol.is_grpc(),
        scheduler,
        resiliency,
        metrics,
    })
}

/// Hosts what the app says, as long as it is healthy.
pub(crate) async fn follow_health(actors: &Service, app: &Arc<dyn Channel>, configuration: Option<Value>) {
    let mut health = app.health().watch();
    loop {
        host(actors, Some(app), configuration.clone());
        if health.wait_for(|healthy| !*healthy).await.is_err() {
            return;
        }
        actors.unhost().await;
        if health.wait_for(|healthy| *healthy).await.is_err() {
            return;
        }
    }
}

/// Hosts what the app says; one that says nothing hosts nothing.
pub(crate) fn host(actors: &Service, app: Option<&Arc<dyn Channel>>, configuration: Option<Value>) {
    if let Err(invalid) = actors.host(app, configuration) {
        tracing::warn!(target: SCOPE, "Failed to register hosted actors: {invalid}");
    }
}

/// The runtime as the metadata document shows it.
pub(crate) fn described(actors: &Service) -> ActorRuntime {
    match actors.status() {
        RuntimeStatus::Disabled => ActorRuntime::default(),
        RuntimeStatus::Initializing => ActorRuntime {
            runtime_status: ActorStatus::Initializing,
            placement: String::new(),
            ..ActorRuntime::default()
        },
        RuntimeStatus::Running { ready, active } => ActorRuntime {
            runtime_status: ActorStatus::Running,
            active_actors: active.into_iter().map(counted).collect(),
            host_ready: ready,
            placement: format!("placement: {}", if ready { "connected" } else { "disconnected" }),
        },
    }
}

fn counted((kind, count): (String, usize)) -> ActiveActors {
    ActiveActors { kind, count: i32::try_from(count).unwrap_or(i32::MAX) }
}
