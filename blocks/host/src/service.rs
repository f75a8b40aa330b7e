//! Behaviour of the sidecar's own endpoints, free of any transport.
use crate::error::Error;
use crate::health::Health;
use crate::model::{AppConnection, Document, Facts, Scheduler, Workflows, named};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

const VERSION_KEY: &str = "daprRuntimeVersion";
const SCOPE: &str = "dapr.api";

/// Ends the process.
pub trait Stop: Send + Sync {
    /// Begins the graceful end, as a signal does; returns at once.
    fn gracefully(&self);

    /// Ends the process with exit code 1 in 100 ms, without any graceful step; returns at once.
    fn by_force(&self);
}

/// What is fixed about a sidecar.
#[derive(Clone, Debug, Default)]
pub struct About {
    pub app_id: String,
    /// Version of Dapr that this sidecar stands in for.
    pub version: &'static str,
    /// Preview features that are on.
    pub features: Vec<String>,
    pub app: AppConnection,
}

/// Health, metadata and shutdown.
pub struct Service {
    about: About,
    health: Health,
    outbound: Health,
    facts: Arc<dyn Facts>,
    stop: Arc<dyn Stop>,
    extended: RwLock<BTreeMap<String, String>>,
}

impl Service {
    /// `outbound` is the health of what the app needs to call others; it does not wait for the app.
    pub fn new(about: About, health: Health, outbound: Health, facts: Arc<dyn Facts>, stop: Arc<dyn Stop>) -> Self {
        Self { about, health, outbound, facts, stop, extended: RwLock::default() }
    }

    /// Whether everything is ready; an app id in the question must be the own one.
    ///
    /// # Errors
    /// [`Error::NotReady`] and [`Error::OtherApp`].
    pub fn check_health(&self, app_id: Option<&str>) -> Result<(), Error> {
        if !self.health.is_ready() {
            return Err(Error::NotReady(self.health.unready()));
        }
        let own = app_id.is_none_or(|app_id| app_id == self.about.app_id);
        if own { Ok(()) } else { Err(Error::OtherApp) }
    }

    /// Whether the app may call out.
    ///
    /// # Errors
    /// [`Error::OutboundNotReady`].
    pub fn check_outbound_health(&self) -> Result<(), Error> {
        if self.outbound.is_ready() { Ok(()) } else { Err(Error::OutboundNotReady) }
    }

    /// The metadata document of this moment.
    pub(crate) fn document(&self) -> Document {
        let (about, facts) = (&self.about, &self.facts);
        let actor_runtime = facts.actor_runtime();
        let (schedulers, workers) = (facts.schedulers(), facts.workflow_workers());
        Document {
            id: about.app_id.clone(),
            runtime_version: about.version,
            enabled_features: about.features.clone(),
            actors: actor_runtime.active_actors.clone(),
            components: facts.components(),
            extended: self.extended(),
            subscriptions: facts.subscriptions(),
            http_endpoints: named(facts.http_endpoints()),
            app_connection_properties: about.app.clone(),
            actor_runtime,
            scheduler: (!schedulers.is_empty()).then_some(Scheduler { connected_addresses: schedulers }),
            workflows: (workers != 0).then_some(Workflows { connected_workers: workers }),
            mcp_servers: named(facts.mcp_servers()),
            workflow_access_policies: named(facts.workflow_access_policies()),
            resiliencies: named(facts.resiliencies()),
        }
    }

    /// Adds a pair to the document; one without a key is ignored. The version of the runtime stays what it is.
    pub fn set_metadata(&self, key: String, value: String) {
        if !key.is_empty() {
            self.extended.write().unwrap_or_else(PoisonError::into_inner).insert(key, value);
        }
    }

    /// Ends the process, at once when asked by force.
    pub fn shut_down(&self, by_force: bool) {
        if by_force {
            tracing::warn!(target: SCOPE, "Force shutdown requested, exiting immediately without graceful shutdown");
            return self.stop.by_force();
        }
        tracing::info!(target: SCOPE, "Shutdown requested via API");
        self.stop.gracefully();
    }

    /// Id of the app.
    pub fn app_id(&self) -> &str {
        &self.about.app_id
    }

    fn extended(&self) -> BTreeMap<String, String> {
        let mut extended = self.extended.read().unwrap_or_else(PoisonError::into_inner).clone();
        extended.insert(VERSION_KEY.to_owned(), self.about.version.to_owned());
        extended
    }
}
