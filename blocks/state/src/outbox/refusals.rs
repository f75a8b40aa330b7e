//! Transactions that the store has refused: their events are waiting for nothing.
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Refusals that are remembered. A marker that is forgotten is waited for like any other.
const MOST: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// The last markers that were not written.
#[derive(Debug)]
pub(super) struct Refusals(Mutex<LruCache<String, ()>>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl Refusals {
    pub(super) fn note(&self, markers: impl Iterator<Item = String>) {
        let mut all = self.all();
        for marker in markers {
            all.put(marker, ());
        }
    }

    pub(super) fn has(&self, marker: &str) -> bool {
        self.all().contains(marker)
    }

    fn all(&self) -> MutexGuard<'_, LruCache<String, ()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered() {
        let refusals = Refusals::default();
        refusals.note((0..=MOST.get()).map(|number| number.to_string()));
        assert!(!refusals.has("0") && refusals.has("1") && refusals.has(&MOST.to_string()));
    }
}
