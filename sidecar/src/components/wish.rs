//! A component that shall run, and how it is made.
use super::Failure;
use super::SCOPE;
use super::category::Category;
use super::kinds::{absent, found};
use super::live::{Live, Made};
use super::retired::Closable;
use block_state::{AtRest, InvalidStore};
use component_api::{Config, Instance, Properties, Registry, Table};
use foundation_resources::{Component, ComponentSpec, Resource};
use std::fmt::Display;
use std::sync::Arc;

const STATE: &str = "dapr.runtime.processor.state";

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
        self.check()?;
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
            Category::Absent => Err(absent(self.component)),
        }
    }

    async fn of<T: Closable + ?Sized>(
        self,
        types: &Table<T>,
        table: fn(&Live) -> &component_api::Live<T>,
    ) -> Result<Made, Failure> {
        let ComponentSpec { kind, version, .. } = &self.component.spec;
        let factory = found(types, self.component)?;
        let short = kind.split_once('.').unwrap_or_default().1;
        for (given, meant) in types.misspelt(short, &self.config.properties) {
            let name = self.component.log_name();
            tracing::warn!(target: SCOPE, "Component {name} has metadata {given:?}, which {kind} does not know; did you mean {meant:?}?");
        }
        let component: Arc<T> = factory(self.config)
            .await
            .map_err(|error| init_failure(self.component, self.properties.redact(&error.to_string())))?;
        let instance = Instance {
            name: self.component.metadata.name.clone(),
            kind: kind.clone(),
            version: version.clone(),
            properties: self.properties,
            component,
        };
        Ok(Made::new(self.category, instance, table))
    }

    /// Checks the metadata that the runtime itself reads. What is wrong there keeps the sidecar from starting.
    fn check(&self) -> Result<(), Failure> {
        match self.category {
            Category::State => self.check_state(),
            // Dapr says `lock` of state stores too.
            Category::Lock => block_lock::KeyPrefix::of(&self.properties)
                .map(drop)
                .map_err(|error| init_failure(self.component, format_args!("failed to save lock keyprefix: {error}"))),
            _ => Ok(()),
        }
    }

    fn check_state(&self) -> Result<(), Failure> {
        let store = &self.component.metadata.name;
        match block_state::check(&self.properties) {
            Ok(AtRest::Plain) => {}
            Ok(AtRest::PlainForLackOfPrimaryKey) => {
                tracing::warn!(target: STATE, "Values of state store {store} are NOT encrypted: secondaryEncryptionKey only decrypts, and without primaryEncryptionKey it has no effect");
            }
            Ok(AtRest::Encrypted) => {
                tracing::info!(target: STATE, "Automatic encryption enabled for state store {store}");
                tracing::info!(target: STATE, "WARNING: Automatic state store encryption should never be used to store more than 4 billion items in the state store (including updates). Storing more items than that can cause the private key to be exposed.");
            }
            Err(invalid @ InvalidStore::Key(_)) => {
                return Err(Failure::Create { name: self.component.log_name(), reason: invalid.to_string() });
            }
            Err(invalid) => return Err(init_failure(self.component, invalid)),
        }
        Ok(())
    }
}

/// Why a component could not be started.
pub(crate) fn init_failure(component: &Component, reason: impl Display) -> Failure {
    Failure::Init { name: component.log_name(), reason: reason.to_string() }
}
