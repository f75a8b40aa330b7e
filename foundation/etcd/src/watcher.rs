//! Watching keys.
use crate::Error;
use crate::history::{History, Look};
use crate::keys::Keys;
use crate::watches::Id;
use crate::writer::Shared;
use std::sync::{Arc, MutexGuard, PoisonError};
use tokio::sync::Notify;
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
    watch: Id,
    news: Arc<Notify>,
}

impl Watcher {
    /// From a revision on; 0 is from now on.
    pub(crate) fn new(shared: &Arc<Shared>, keys: Keys, first: i64) -> Self {
        let (watch, news) = history(shared).watch(keys, first);
        Self { shared: Arc::clone(shared), watch, news }
    }

    /// Waits for the next changes.
    ///
    /// # Errors
    /// [`Error::Compacted`] when changes are gone that were not seen.
    pub async fn next(&mut self) -> Result<Changes, Error> {
        loop {
            self.ready().await;
            if let Some(changes) = self.take()? {
                return Ok(changes);
            }
        }
    }

    /// Waits until there may be something to take.
    pub(crate) async fn ready(&self) {
        while !history(&self.shared).has_news(self.watch) {
            self.news.notified().await;
        }
    }

    /// The next changes, if there are any.
    pub(crate) fn take(&mut self) -> Result<Option<Changes>, Error> {
        let look = history(&self.shared).look(self.watch)?;
        Ok(look.map(|Look { events, next }| Changes { events, revision: next - 1 }))
    }

    /// Everything up to here has been seen.
    pub fn revision(&self) -> i64 {
        history(&self.shared).seen(self.watch)
    }

    /// The first revision that can be watched.
    pub(crate) fn first(&self) -> i64 {
        history(&self.shared).first()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        history(&self.shared).end_watch(self.watch);
    }
}

pub(crate) fn history(shared: &Shared) -> MutexGuard<'_, History> {
    shared.history.lock().unwrap_or_else(PoisonError::into_inner)
}
