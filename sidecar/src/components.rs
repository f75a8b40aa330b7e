//! Components from resources: made, started, kept, replaced (surface.md 3.2, protocols.md 8.2, suite.md 4.5).
mod category;
mod error;
mod greeting;
mod kinds;
mod live;
mod retired;
mod values;
mod wish;

pub use error::Failure;
pub use live::Live;
pub use values::Values;

use category::Category;
use component_api::{Config, Properties, Registry};
use foundation_drain::Drain;
use foundation_resources::{Component, ComponentSpec, ConfigurationSpec, Resource};
use foundation_telemetry::Metrics;
use futures_util::future::{BoxFuture, join_all};
use live::Made;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::timeout;
use values::Unready;
use wish::{Wish, init_failure};

const SCOPE: &str = "dapr.runtime.processor";

/// Makes components and keeps those that run.
pub struct Components {
    registry: Arc<Registry>,
    values: Values,
    live: Live,
    /// `components.deny` of the configuration.
    configuration: ConfigurationSpec,
    /// Components that wait for their secret store.
    parked: Mutex<Vec<Component>>,
    metrics: Metrics,
    /// Where components that are out of use end.
    drain: Drain,
}

impl Components {
    /// `values` knows what metadata refers to; `configuration` which components are not to be loaded.
    pub fn new(
        registry: Arc<Registry>,
        values: Values,
        configuration: ConfigurationSpec,
        metrics: Metrics,
        drain: &Drain,
    ) -> Self {
        let (live, parked) = (Live::default(), Mutex::default());
        Self { registry, values, live, configuration, parked, metrics, drain: drain.child() }
    }

    /// The components that run.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// What values of resources refer to.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Starts all components: secret stores first, as others may need them, then the rest at the same time. Those whose
    /// secret store does not run are started as soon as it does.
    ///
    /// # Errors
    /// The first component that cannot be started and is not to be ignored.
    pub async fn start(&self, components: &[Component]) -> Result<(), Failure> {
        let (secrets, others): (Vec<_>, Vec<_>) = components.iter().partition(|component| is_secret_store(component));
        for component in secrets {
            self.start_one(component).await?;
        }
        join_all(others.into_iter().map(|component| self.start_one(component))).await.into_iter().collect()
    }

    /// Starts a component in the place of the one with its name, which ends when its last user lets go of it.
    ///
    /// # Errors
    /// It cannot be started and is not to be ignored.
    pub async fn replace(&self, component: &Component) -> Result<(), Failure> {
        self.parked().retain(|parked| parked.metadata.name != component.metadata.name);
        self.start_one(component).await
    }

    /// Looks whether a component could take the place of the one with its name, before anything is done to that one.
    ///
    /// # Errors
    /// Its type is not in this build.
    pub fn check_type(&self, component: &Component) -> Result<(), Failure> {
        let ComponentSpec { kind, version, .. } = &component.spec;
        if !self.configuration.allows_component(kind, version) {
            return Ok(());
        }
        let name = &component.metadata.name;
        kinds::check(&self.registry, component)
            .inspect_err(|_| self.metrics.component_init_failed(kind, "creation", name))
    }

    /// Takes a component out; it ends when its last user lets go of it.
    pub fn remove(&self, name: &str) {
        self.parked().retain(|parked| parked.metadata.name != name);
        self.live.remove(name).into_iter().for_each(|old| self.drain.spawn(old.close(self.drain.token())));
    }

    /// Whether a component would have other metadata now, as when a secret was changed.
    pub async fn is_outdated(&self, component: &Component) -> bool {
        let refers = component.spec.metadata.iter().any(|item| item.secret().is_some());
        let Some(old) = self.live.properties(&component.metadata.name).filter(|_| refers) else { return false };
        self.values.of_component(component, &self.live.secrets).await.is_ok_and(|new| new != old)
    }

    /// Starts a component in the place of the one with its name. What fails is logged; when it is to be ignored that is
    /// all, and no component of that name is left.
    fn start_one<'a>(&'a self, component: &'a Component) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let Err(failure) = self.try_start(component).await else {
                return if is_secret_store(component) { self.unpark(&component.metadata.name).await } else { Ok(()) };
            };
            self.remove(&component.metadata.name);
            let failure = Failure::Process { name: component.metadata.name.clone(), reason: Box::new(failure) };
            if component.spec.ignore_errors {
                tracing::error!(target: SCOPE, "Ignoring error processing component: {failure}");
                return Ok(());
            }
            tracing::warn!(target: SCOPE, "Error processing component, daprd will exit gracefully: {failure}");
            Err(failure)
        })
    }

    async fn try_start(&self, component: &Component) -> Result<(), Failure> {
        let (name, log_name) = (&component.metadata.name, component.log_name());
        if !self.is_allowed(component) {
            self.remove(name);
            return Ok(());
        }
        let kind = &component.spec.kind;
        let category = Category::of(kind).ok_or_else(|| Failure::category(kind))?;
        if category == Category::Absent {
            tracing::warn!(target: SCOPE, "Component {log_name} is left out: its kind is not in this build yet");
            return Ok(());
        }
        let properties = match self.values.of_component(component, &self.live.secrets).await {
            Ok(properties) => properties,
            Err(Unready(_)) => {
                self.remove(name);
                self.parked().push(component.clone());
                return Ok(());
            }
        };
        tracing::debug!(target: SCOPE, "Loading component {log_name} from {} metadata fields", component.spec.metadata.len());
        let made = timeout(component.spec.init_timeout(), self.make(category, component, properties)).await;
        let made = made.unwrap_or_else(|_| Err(init_failure(component, "context deadline exceeded")));
        self.count(component, &made);
        let (greeting, replaced) = self.live.insert(made.map_err(|failure| logged(component, failure))?);
        replaced.into_iter().for_each(|old| self.drain.spawn(old.close(self.drain.token())));
        tracing::info!(target: SCOPE, "Component loaded: {log_name}");
        self.drain.spawn_until_stopped(greeting);
        Ok(())
    }

    async fn make(&self, category: Category, component: &Component, properties: Properties) -> Result<Made, Failure> {
        let config = Config {
            name: component.metadata.name.clone(),
            app_id: self.values.app_id().to_owned(),
            namespace: self.values.namespace().to_owned(),
            version: component.spec.version.clone(),
            properties: self.values.fill_all(&properties).map_err(|reason| init_failure(component, reason))?,
        };
        Wish { category, component, properties, config }.make(&self.registry).await
    }

    fn count(&self, component: &Component, made: &Result<Made, Failure>) {
        let (kind, name) = (&component.spec.kind, &component.metadata.name);
        match made {
            Ok(_) => {
                self.metrics.component_initialized(kind);
                self.metrics.component_loaded();
            }
            Err(Failure::Create { .. }) => self.metrics.component_init_failed(kind, "creation", name),
            Err(_) => self.metrics.component_init_failed(kind, "init", name),
        }
    }

    /// Starts what has waited for a secret store.
    async fn unpark(&self, store: &str) -> Result<(), Failure> {
        let of_store = |parked: &Component| parked.auth.secret_store == store;
        let (ready, waiting): (Vec<_>, Vec<_>) = mem::take(&mut *self.parked()).into_iter().partition(of_store);
        *self.parked() = waiting;
        for component in ready {
            self.start_one(&component).await?;
        }
        Ok(())
    }

    fn parked(&self) -> MutexGuard<'_, Vec<Component>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_allowed(&self, component: &Component) -> bool {
        let allowed = self.configuration.allows_component(&component.spec.kind, &component.spec.version);
        if !allowed {
            let name = component.log_name();
            tracing::warn!(target: "dapr.runtime.authorizer", "component {name} is denied by the configuration and not loaded");
        }
        allowed
    }
}

fn is_secret_store(component: &Component) -> bool {
    Category::of(&component.spec.kind) == Some(Category::Secret)
}

/// Dapr says it twice: once for the component and once for its start.
fn logged(component: &Component, failure: Failure) -> Failure {
    tracing::error!(target: SCOPE, "Failed to init component {}: {failure}", component.log_name());
    init_failure(component, failure)
}
