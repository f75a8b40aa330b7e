//! Components from resources: made, started, kept (surface.md 3.2, suite.md 4.5).
mod categories;
mod error;
mod values;

pub use categories::Live;
pub use error::Failure;
pub use values::Values;

use crate::resources::{Component, Configuration};
use categories::{Category, Wish};
use component_api::{Config, Registry};
use foundation_telemetry::Metrics;
use futures_util::future::join_all;
use std::sync::Arc;
use tokio::time::timeout;

const SCOPE: &str = "dapr.runtime.processor";

/// Makes components and keeps those that run.
pub struct Components {
    registry: Arc<Registry>,
    values: Values,
    live: Live,
    metrics: Metrics,
}

impl Components {
    /// `values` knows what metadata refers to.
    pub fn new(registry: Arc<Registry>, values: Values, metrics: Metrics) -> Self {
        Self { registry, values, live: Live::default(), metrics }
    }

    /// The components that run.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Starts all components: secret stores first, as others may need them, then the rest at the same time.
    ///
    /// # Errors
    /// The first component that cannot be started and is not to be ignored.
    pub async fn start(&self, components: &[Component], configuration: &Configuration) -> Result<(), Failure> {
        let allowed = components.iter().filter(|component| is_allowed(component, configuration));
        let (secrets, others): (Vec<_>, Vec<_>) =
            allowed.partition(|component| Category::of(&component.kind) == Some(Category::Secret));
        for component in secrets {
            self.start_one(component).await?;
        }
        join_all(others.into_iter().map(|component| self.start_one(component))).await.into_iter().collect()
    }

    /// Starts a component. What fails is logged; when it is to be ignored that is all.
    ///
    /// # Errors
    /// [`Failure`], unless it is to be ignored.
    pub async fn start_one(&self, component: &Component) -> Result<(), Failure> {
        let Err(failure) = self.try_start(component).await else { return Ok(()) };
        let failure = Failure::Process { name: component.name.clone(), source: Box::new(failure) };
        if component.ignore_errors {
            tracing::error!(target: SCOPE, "Ignoring error processing component: {failure}");
            return Ok(());
        }
        tracing::warn!(target: SCOPE, "Error processing component, daprd will exit gracefully: {failure}");
        Err(failure)
    }

    async fn try_start(&self, component: &Component) -> Result<(), Failure> {
        let category = Category::of(&component.kind).ok_or_else(|| Failure::Category(component.kind.clone()))?;
        let log_name = component.log_name();
        if category == Category::Absent {
            tracing::warn!(target: SCOPE, "Component {log_name} is left out: its kind is not in this build yet");
            return Ok(());
        }
        let Some(properties) = self.values.resolve(component, &self.live.secrets).await else { return Ok(()) };
        let config = Config {
            name: component.name.clone(),
            app_id: self.values.app_id().to_owned(),
            namespace: self.values.namespace().to_owned(),
            version: component.version.clone(),
            properties: self.values.fill_all(&properties).map_err(|reason| init_failure(&log_name, reason))?,
        };
        let wish = Wish { category, component, properties, config };
        let started = timeout(component.init_timeout, self.live.start(&self.registry, wish)).await;
        let started = started.unwrap_or_else(|_| Err(init_failure(&log_name, "context deadline exceeded".to_owned())));
        self.count(component, &started);
        started.map_err(|failure| logged(&log_name, failure))?;
        tracing::info!(target: SCOPE, "Component loaded: {log_name}");
        Ok(())
    }
}

impl Components {
    fn count(&self, component: &Component, started: &Result<(), Failure>) {
        let Component { kind, name, .. } = component;
        match started {
            Ok(()) => {
                self.metrics.component_initialized(kind);
                self.metrics.component_loaded();
            }
            Err(Failure::Create { .. }) => self.metrics.component_init_failed(kind, "creation", name),
            Err(_) => self.metrics.component_init_failed(kind, "init", name),
        }
    }
}

fn is_allowed(component: &Component, configuration: &Configuration) -> bool {
    let allowed = configuration.allows(&component.kind, &component.version);
    if !allowed {
        let name = component.log_name();
        tracing::warn!(target: "dapr.runtime.authorizer", "component {name} is denied by the configuration and not loaded");
    }
    allowed
}

fn init_failure(log_name: &str, reason: String) -> Failure {
    Failure::Init { name: log_name.to_owned(), reason }
}

/// Dapr says it twice: once for the component and once for its start.
fn logged(log_name: &str, failure: Failure) -> Failure {
    tracing::error!(target: SCOPE, "Failed to init component {log_name}: {failure}");
    init_failure(log_name, failure.to_string())
}
