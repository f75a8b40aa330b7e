//! The kinds of components, and those of each that run.
use super::Failure;
use crate::resources::Component;
use component_api::{
    Config, Instance, Lookup, Properties, Registry, Table, binding, configuration, conversation, crypto, lock,
    middleware, pubsub, secret, state,
};
use std::sync::Arc;

/// What a component is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    State,
    Pubsub,
    Secret,
    Binding,
    Configuration,
    Lock,
    Crypto,
    Conversation,
    Middleware,
    /// One that this build has no components of.
    Absent,
}

impl Category {
    /// The category of a full type such as `state.redis`.
    pub(crate) fn of(kind: &str) -> Option<Self> {
        match kind.split_once('.')?.0 {
            "state" => Some(Self::State),
            "pubsub" => Some(Self::Pubsub),
            "secretstores" => Some(Self::Secret),
            "bindings" => Some(Self::Binding),
            "configuration" => Some(Self::Configuration),
            "lock" => Some(Self::Lock),
            "crypto" => Some(Self::Crypto),
            "conversation" => Some(Self::Conversation),
            "middleware" => Some(Self::Middleware),
            "workflowbackend" | "nameresolution" => Some(Self::Absent),
            // Dapr takes no `workflow` components.
            _ => None,
        }
    }

    /// What Dapr calls a component of the category that it does not know.
    fn noun(self) -> &'static str {
        match self {
            Self::State => "state store",
            Self::Pubsub => "message bus",
            Self::Secret => "secret store",
            Self::Binding => "binding",
            Self::Configuration => "configuration store",
            Self::Lock => "lock store",
            Self::Crypto => "crypto provider",
            Self::Conversation => "conversation component",
            Self::Middleware => "HTTP middleware",
            Self::Absent => "component",
        }
    }
}

/// All components that run.
#[derive(Clone, Default)]
pub struct Live {
    pub state: component_api::Live<dyn state::Store>,
    pub brokers: component_api::Live<dyn pubsub::Broker>,
    pub secrets: component_api::Live<dyn secret::Store>,
    pub bindings: component_api::Live<dyn binding::Binding>,
    pub configurations: component_api::Live<dyn configuration::Store>,
    pub locks: component_api::Live<dyn lock::Store>,
    pub cryptos: component_api::Live<dyn crypto::Keys>,
    pub conversations: component_api::Live<dyn conversation::Model>,
    pub middlewares: component_api::Live<dyn middleware::Http>,
}

impl Live {
    /// Makes a component and keeps it.
    pub(crate) async fn start(&self, registry: &Registry, wish: Wish<'_>) -> Result<(), Failure> {
        match wish.category {
            Category::State => self.state.insert(wish.make(&registry.state).await?),
            Category::Pubsub => self.brokers.insert(wish.make(&registry.pubsub).await?),
            Category::Secret => self.secrets.insert(wish.make(&registry.secret).await?),
            Category::Binding => self.bindings.insert(wish.make(&registry.binding).await?),
            Category::Configuration => self.configurations.insert(wish.make(&registry.configuration).await?),
            Category::Lock => {
                wish.check_lock_prefix()?;
                self.locks.insert(wish.make(&registry.lock).await?);
            }
            Category::Crypto => self.cryptos.insert(wish.make(&registry.crypto).await?),
            Category::Conversation => self.conversations.insert(wish.make(&registry.conversation).await?),
            Category::Middleware => self.middlewares.insert(wish.make(&registry.middleware).await?),
            Category::Absent => {}
        }
        Ok(())
    }

    /// Ends all of them; what they say about it is logged.
    pub async fn close(&self) {
        for store in self.state.all().values() {
            closed(&store.name, &store.kind, &store.version, store.component.close().await);
        }
        for broker in self.brokers.all().values() {
            closed(&broker.name, &broker.kind, &broker.version, broker.component.close().await);
        }
        for binding in self.bindings.all().values() {
            closed(&binding.name, &binding.kind, &binding.version, binding.component.close().await);
        }
        for store in self.configurations.all().values() {
            closed(&store.name, &store.kind, &store.version, store.component.close().await);
        }
        for store in self.locks.all().values() {
            closed(&store.name, &store.kind, &store.version, store.component.close().await);
        }
        for keys in self.cryptos.all().values() {
            closed(&keys.name, &keys.kind, &keys.version, keys.component.close().await);
        }
        for model in self.conversations.all().values() {
            closed(&model.name, &model.kind, &model.version, model.component.close().await);
        }
        for step in self.middlewares.all().values() {
            closed(&step.name, &step.kind, &step.version, step.component.close().await);
        }
    }
}

fn closed(name: &str, kind: &str, version: &str, result: component_api::Result<()>) {
    tracing::info!(target: "dapr.runtime", "Shutting down component {name} ({kind}/{version})");
    if let Err(error) = result {
        tracing::warn!(target: "dapr.runtime", "error closing component {name} ({kind}/{version}): {error}");
    }
}

/// A component that shall run.
pub(crate) struct Wish<'a> {
    pub(crate) category: Category,
    pub(crate) component: &'a Component,
    /// Its metadata before templates were filled in, which tells how the runtime is to treat it.
    pub(crate) properties: Properties,
    pub(crate) config: Config,
}

impl Wish<'_> {
    async fn make<T: ?Sized + 'static>(self, table: &Table<T>) -> Result<Instance<T>, Failure> {
        let Component { name, kind, version, .. } = self.component;
        let short = kind.split_once('.').map_or("", |(_, name)| name);
        let Lookup::Found(factory) = table.find(short, version) else { return Err(self.unknown()) };
        let failed =
            |error: component_api::Error| Failure::Init { name: self.component.log_name(), reason: error.to_string() };
        let component: Arc<T> = factory(self.config).await.map_err(failed)?;
        Ok(Instance {
            name: name.clone(),
            kind: kind.clone(),
            version: version.clone(),
            properties: self.properties,
            component,
        })
    }

    fn check_lock_prefix(&self) -> Result<(), Failure> {
        let refused = |error| Failure::Init {
            name: self.component.log_name(),
            reason: format!("failed to save lock keyprefix: {error}"),
        };
        block_lock::KeyPrefix::of(&self.properties).map(drop).map_err(refused)
    }

    fn unknown(&self) -> Failure {
        let Component { kind, version, .. } = self.component;
        let reason = format!("couldn't find {} {kind}/{version}", self.category.noun());
        Failure::Create { name: self.component.log_name(), reason }
    }
}
