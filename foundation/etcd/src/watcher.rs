//! Watching keys.
use crate::Error;
use crate::database::Numbers;
use crate::history::{History, Look};
use crate::keys::Keys;
use crate::writer::Shared;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use tokio::sync::watch;
use wire::etcd::mvccpb::Event;

/// What has happened to the keys of a watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    pub events: Vec<Event>,
    /// Everything up to this revision has been seen.
    pub revision: i64,
}

/// Looks at each change of its keys once, in order. It keeps nothing while nobody asks for the next ones.
pub struct Watcher {
    shared: Arc<Shared>,
    keys: Keys,
    next: i64,
    /// The same, for the history to see.
    position: Arc<AtomicI64>,
    committed: watch::Receiver<Numbers>,
}

impl Watcher {
    /// From a revision on; 0 is from now on.
    pub(crate) fn new(shared: &Arc<Shared>, keys: Keys, first: i64) -> Self {
        let committed = shared.numbers.subscribe();
        let mut history = history(shared);
        let next = if first > 0 { first } else { history.revision() + 1 };
        let position = history.register(next);
        drop(history);
        Self { shared: Arc::clone(shared), keys, next, position, committed }
    }

    /// Waits for the next changes.
    ///
    /// # Errors
    /// [`Error::Compacted`] when changes are gone that were not seen, and [`Error::Stopped`].
    pub async fn next(&mut self) -> Result<Changes, Error> {
        loop {
            self.committed.borrow_and_update();
            let look = history(&self.shared).since(self.next, &self.keys);
            let Look { events, next } = look?;
            self.next = next;
            self.position.store(next, Ordering::Relaxed);
            if !events.is_empty() {
                return Ok(Changes { events, revision: next - 1 });
            }
            self.committed.changed().await.map_err(|_| Error::Stopped)?;
        }
    }

    /// Everything up to here has been seen.
    pub fn revision(&self) -> i64 {
        self.next - 1
    }

    /// The first revision that can be watched.
    pub(crate) fn first(&self) -> i64 {
        history(&self.shared).first()
    }
}

pub(crate) fn history(shared: &Shared) -> MutexGuard<'_, History> {
    shared.history.lock().unwrap_or_else(PoisonError::into_inner)
}
