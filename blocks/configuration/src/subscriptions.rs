//! The subscriptions that run, by their ids.
use component_api::pubsub::Subscription;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// All subscriptions of the sidecar; one that is taken out ends.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    ended: bool,
    running: HashMap<String, Running>,
}

#[derive(Debug)]
struct Running {
    store: String,
    /// Ends when it is dropped.
    _subscription: Subscription,
}

impl Subscriptions {
    /// Keeps a subscription; after [`Self::end`] it ends at once.
    pub(crate) fn add(&self, id: &str, store: &str, subscription: Subscription) {
        let mut state = self.state();
        if !state.ended {
            let running = Running { store: store.to_owned(), _subscription: subscription };
            state.running.insert(id.to_owned(), running);
        }
    }

    /// Ends a subscription, given its store unless any will do. Returns whether there was one.
    pub(crate) fn remove(&self, id: &str, store: Option<&str>) -> bool {
        let mut state = self.state();
        let fits = |running: &Running| store.is_none_or(|store| running.store == store);
        if !state.running.get(id).is_some_and(fits) {
            return false;
        }
        state.running.remove(id).is_some()
    }

    /// Ends all of them, and those to come.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.running.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
