//! A component that shall run, and how it is made.
use super::Failure;
use super::category::Category;
use super::live::{Live, Made};
use super::retired::Closable;
use component_api::{Config, Instance, Lookup, Properties, Registry, Table};
use foundation_resources::{Component, ComponentSpec, Resource};
use std::fmt::Display;
use std::sync::Arc;

/// A component that shall run.
pub(crate) struct Wish<'a> {
    pub(crate) category: Category,
    pub(crate) component: &'a Component,
    /// Its metadata before templates were filled in, which tells how the runtime is to treat it.
    pub(crate) properties: Properties,
    pub(crate) config: Config,
}

impl Wish<'_> {
    /// Makes the component.
    ///
    /// # Errors
    /// Its type is not in this build, its metadata is wrong, or it cannot start.
    pub(crate) async fn make(self, registry: &Registry) -> Result<Made, Failure> {
        self.check_prefix()?;
        match self.category {
            Category::State => self.of(&registry.state, |live| &live.state).await,
            Category::Pubsub => self.of(&registry.pubsub, |live| &live.brokers).await,
            Category::Secret => self.of(&registry.secret, |live| &live.secrets).await,
            Category::Binding => self.of(&registry.binding, |live| &live.bindings).await,
            Category::Configuration => self.of(&registry.configuration, |live| &live.configurations).await,
            Category::Lock => self.of(&registry.lock, |live| &live.locks).await,
            Category::Crypto => self.of(&registry.crypto, |live| &live.cryptos).await,
            Category::Conversation => self.of(&registry.conversation, |live| &live.conversations).await,
            Category::Middleware => self.of(&registry.middleware, |live| &live.middlewares).await,
            Category::Absent => Err(self.unknown()),
        }
    }

    async fn of<T: Closable + ?Sized>(
        self,
        types: &Table<T>,
        table: fn(&Live) -> &component_api::Live<T>,
    ) -> Result<Made, Failure> {
        let ComponentSpec { kind, version, .. } = &self.component.spec;
        let short = kind.split_once('.').map_or("", |(_, name)| name);
        let Lookup::Found(factory) = types.find(short, version) else { return Err(self.unknown()) };
        let component: Arc<T> = factory(self.config).await.map_err(|error| init_failure(self.component, error))?;
        let instance = Instance {
            name: self.component.metadata.name.clone(),
            kind: kind.clone(),
            version: version.clone(),
            properties: self.properties,
            component,
        };
        Ok(Made::new(self.category, instance, table))
    }

    /// A key prefix that keys could not be told apart from keeps the sidecar from starting; Dapr says `lock` in both cases.
    fn check_prefix(&self) -> Result<(), Failure> {
        let refused =
            |error: &dyn Display| init_failure(self.component, format_args!("failed to save lock keyprefix: {error}"));
        match self.category {
            Category::State => block_state::KeyPrefix::of(&self.properties).map(drop).map_err(|error| refused(&error)),
            Category::Lock => block_lock::KeyPrefix::of(&self.properties).map(drop).map_err(|error| refused(&error)),
            _ => Ok(()),
        }
    }

    fn unknown(&self) -> Failure {
        let ComponentSpec { kind, version, .. } = &self.component.spec;
        let reason = format!("couldn't find {} {kind}/{version}", self.category.noun());
        Failure::Create { name: self.component.log_name(), reason }
    }
}

/// Why a component could not be started.
pub(crate) fn init_failure(component: &Component, reason: impl Display) -> Failure {
    Failure::Init { name: component.log_name(), reason: reason.to_string() }
}
