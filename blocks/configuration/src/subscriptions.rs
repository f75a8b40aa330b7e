//! The subscriptions that run, by their ids.
use component_api::pubsub::Subscription;
use foundation_telemetry::Metrics;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// All subscriptions of the sidecar; one that is taken out ends.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    state: Mutex<State>,
    metrics: Metrics,
}

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
    /// Counts what ends.
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self { state: Mutex::default(), metrics }
    }

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
        let Some(running) = state.running.remove(id) else { return false };
        self.metrics.configuration(&running.store, "unsubscribe", true, Duration::ZERO);
        true
    }

    /// Ends all of them, and those to come.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.running.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
