//! What a subscription at work is known by and what it is for.
use crate::receiver::Receiver;
use crate::running::Running;
use crate::wanted::Wish;
use component_api::Instance;
use component_api::pubsub::Broker;
use foundation_drain::Places;
use std::sync::Arc;

/// What a subscription is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// Pubsub and topic.
    App(String, String),
    Stream(u64),
}

/// A subscription that can be started.
#[derive(Clone)]
pub(crate) struct Startable {
    pub(crate) wish: Wish,
    pub(crate) broker: Arc<Instance<dyn Broker>>,
    pub(crate) receiver: Arc<dyn Receiver>,
}

/// Whether one does for the other.
impl PartialEq for Startable {
    fn eq(&self, other: &Self) -> bool {
        self.wish.subscription == other.wish.subscription && Arc::ptr_eq(&self.broker, &other.broker)
    }
}

/// The subscriptions at work and on their way there.
pub(crate) type AtWork = Places<Key, Startable, Running>;
