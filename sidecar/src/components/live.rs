//! The components that run.
use super::category::Category;
use super::greeting::greet;
use super::retired::{Closable, Retired};
use component_api::{
    Instance, Live as Table, Properties, binding, configuration, conversation, crypto, lock, middleware, pubsub,
    secret, state,
};
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// All components that run.
#[derive(Clone, Default)]
pub struct Live {
    pub state: Table<dyn state::Store>,
    pub brokers: Table<dyn pubsub::Broker>,
    pub secrets: Table<dyn secret::Store>,
    pub bindings: Table<dyn binding::Binding>,
    pub configurations: Table<dyn configuration::Store>,
    pub locks: Table<dyn lock::Store>,
    pub cryptos: Table<dyn crypto::Keys>,
    pub conversations: Table<dyn conversation::Model>,
    pub middlewares: Table<dyn middleware::Http>,
}

/// Puts a component into its table; returns the one whose place it takes.
type Keep = Box<dyn FnOnce(&Live) -> Option<Retired> + Send>;

/// A component that was made but does not run yet.
pub(crate) struct Made {
    name: String,
    category: Category,
    keep: Keep,
    greeting: BoxFuture<'static, ()>,
}

impl Made {
    /// `table` is where components of the category are.
    pub(crate) fn new<T: Closable + ?Sized>(
        category: Category,
        instance: Instance<T>,
        table: fn(&Live) -> &Table<T>,
    ) -> Self {
        let name = instance.name.clone();
        let log_name = format!("{name} ({}/{})", instance.kind, instance.version);
        let greeting = Box::pin(greet(Arc::downgrade(&instance.component), log_name));
        Self { name, category, keep: Box::new(move |live| table(live).insert(instance).map(Retired::new)), greeting }
    }
}

impl Live {
    /// Keeps a component. Returns its first contact with its server, which is to be run, and the one whose place it takes,
    /// of whatever category that was.
    pub(crate) fn insert(&self, made: Made) -> (BoxFuture<'static, ()>, Option<Retired>) {
        let others = self.tables().into_iter().filter(|(category, _)| *category != made.category);
        let elsewhere = others.filter_map(|(_, table)| table.take(&made.name)).last();
        (made.greeting, (made.keep)(self).or(elsewhere))
    }

    /// Takes a component out, of whatever category it is.
    pub(crate) fn remove(&self, name: &str) -> Option<Retired> {
        self.tables().into_iter().find_map(|(_, table)| table.take(name))
    }

    /// The metadata of a component, with secrets resolved.
    pub(crate) fn properties(&self, name: &str) -> Option<Properties> {
        self.tables().into_iter().find_map(|(_, table)| table.properties(name))
    }

    /// Ends all of them; what they say about it is logged.
    pub async fn close(&self) {
        for (_, table) in self.tables() {
            for retired in table.take_all() {
                retired.close_now().await;
            }
        }
    }

    fn tables(&self) -> [(Category, &dyn Taking); 9] {
        [
            (Category::State, &self.state),
            (Category::Pubsub, &self.brokers),
            (Category::Secret, &self.secrets),
            (Category::Binding, &self.bindings),
            (Category::Configuration, &self.configurations),
            (Category::Lock, &self.locks),
            (Category::Crypto, &self.cryptos),
            (Category::Conversation, &self.conversations),
            (Category::Middleware, &self.middlewares),
        ]
    }
}

/// A table of components of whatever category.
trait Taking: Send + Sync {
    fn take(&self, name: &str) -> Option<Retired>;
    fn take_all(&self) -> Vec<Retired>;
    fn properties(&self, name: &str) -> Option<Properties>;
}

impl<T: Closable + ?Sized> Taking for Table<T> {
    fn take(&self, name: &str) -> Option<Retired> {
        self.remove(name).map(Retired::new)
    }

    fn take_all(&self) -> Vec<Retired> {
        self.all().keys().filter_map(|name| self.take(name)).collect()
    }

    fn properties(&self, name: &str) -> Option<Properties> {
        self.get(name).map(|instance| instance.properties.clone())
    }
}
