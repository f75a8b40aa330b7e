//! Events on their way from a publisher to the app.
use bytes::Bytes;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Who waits for which event. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deliveries(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    last: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<()>>>,
}

#[derive(Deserialize)]
struct Event {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    number: u64,
}

impl Deliveries {
    /// A new event: its number, and what resolves when it has come to the app.
    pub(crate) fn expect(&self) -> (u64, oneshot::Receiver<()>) {
        let number = self.0.last.fetch_add(1, Ordering::Relaxed);
        let (sender, came) = oneshot::channel();
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(number, sender);
        (number, came)
    }

    /// An event has come.
    pub(crate) fn came(&self, event: &Bytes) {
        let Ok(Event { data: Data { number } }) = serde_json::from_slice(event) else { return };
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        if let Some(sender) = waiting {
            sender.send(()).ok();
        }
    }
}
