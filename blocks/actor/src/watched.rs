//! A value that tasks wait for.
use std::sync::{PoisonError, RwLock};
use tokio::sync::Notify;

/// A value that tasks wait for. Those that wait get to see a change in the order in which they came, so that what follows from it
/// can be foretold; and it is a fraction of the size of a channel, for each active actor has one.
#[derive(Debug, Default)]
pub(crate) struct Watched<T> {
    value: RwLock<T>,
    changed: Notify,
}

impl<T> Watched<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: RwLock::new(value), changed: Notify::new() }
    }

    /// Looks at the value.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.value.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the value, and lets all that wait look at it.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.value.write().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_waiters();
        result
    }

    /// Waits until `look` finds something.
    pub(crate) async fn until<R>(&self, look: impl Fn(&T) -> Option<R>) -> R {
        loop {
            // A change after the look is not missed.
            let changed = self.changed.notified();
            if let Some(found) = self.read(&look) {
                return found;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn who_waits_sees_what_is_changed() {
        let watched = Watched::new(1);
        let mut waits = Box::pin(watched.until(|value| (*value > 2).then_some(*value)));
        assert!((&mut waits).now_or_never().is_none());
        watched.change(|value| *value = 2);
        assert!((&mut waits).now_or_never().is_none());
        watched.change(|value| *value = 3);
        assert_eq!(waits.await, 3);
    }
}
