//! Which store keeps the state of actors: without one nothing is hosted (protocols.md 2.2).
use crate::hosts::Hosts;
use component_api::Instance;
use component_api::state::Store;
use std::sync::{Arc, Mutex, PoisonError, Weak};

const SCOPE: &str = "dapr.runtime.actor";

/// The store by which types are hosted now.
#[derive(Default)]
pub(crate) struct StoreWatch(Mutex<Option<Seen>>);

#[derive(Clone)]
struct Seen {
    name: String,
    instance: Weak<Instance<dyn Store>>,
}

impl StoreWatch {
    /// Hosting follows the store: it goes on with the same one in another form, and starts afresh with another.
    pub(crate) async fn follow(&self, store: Option<Arc<Instance<dyn Store>>>, hosts: &Arc<Hosts>) {
        let now = store.as_ref().map(|store| Seen { name: store.name.clone(), instance: Arc::downgrade(store) });
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), now.clone());
        match (before, now) {
            (Some(before), Some(now)) if before.name == now.name => {
                if !before.instance.ptr_eq(&now.instance) {
                    tracing::info!(target: SCOPE, "Actor state store {} updated - actor hosting continues", now.name);
                }
            }
            (before, now) => {
                if before.is_some() {
                    tracing::info!(target: SCOPE, "Actor state store removed or replaced - draining hosted actors");
                    hosts.suspend().await;
                }
                if let Some(now) = now {
                    tracing::info!(target: SCOPE, "Actor state store {} configured - enabling actor hosting", now.name);
                    hosts.resume();
                }
            }
        }
    }
}
