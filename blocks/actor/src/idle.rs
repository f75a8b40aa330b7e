//! When actors are looked at for whether they were used.
use crate::actor::Actor;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Actors by the time at which they are looked at next. Each is here once.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    due: Mutex<BinaryHeap<Due>>,
    earlier: Notify,
}

#[derive(Debug)]
struct Due {
    at: Instant,
    actor: Weak<Actor>,
}

impl Idle {
    /// Adds an actor.
    pub(crate) fn add(&self, actor: &Arc<Actor>, at: Instant) {
        let mut due = self.lock();
        let is_first = due.peek().is_none_or(|first| at < first.at);
        due.push(Due { at, actor: Arc::downgrade(actor) });
        drop(due);
        if is_first {
            self.earlier.notify_one();
        }
    }

    /// Forgets actors that have ended before their time: they would take their place in memory until then.
    pub(crate) fn forget_ended(&self) {
        let mut due = self.lock();
        due.retain(|due| due.actor.strong_count() > 0);
        due.shrink_to_fit();
    }

    /// Waits for the next actor whose time has come.
    pub(crate) async fn next(&self) -> Arc<Actor> {
        loop {
            let first = self.lock().peek().map(|due| due.at);
            tokio::select! {
                biased;
                () = until(first) => {}
                () = self.earlier.notified() => continue,
            }
            let due = self.lock().pop();
            if let Some(actor) = due.and_then(|due| due.actor.upgrade()) {
                return actor;
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BinaryHeap<Due>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

impl Ord for Due {
    /// The earliest is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}
