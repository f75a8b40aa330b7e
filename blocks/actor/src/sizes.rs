//! How large the state of an active actor is, as far as this sidecar has seen it.
use serde::Serialize;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::AddAssign;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many keys of an actor are kept in mind; others are not counted.
const KEYS: usize = 1_000;

/// The size of an actor's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StateSize {
    pub keys: u64,
    /// Of the values as the app reads them; keys and what a store adds are not in it.
    pub bytes: u64,
}

impl StateSize {
    /// One key with a value of so many bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        Self { keys: 1, bytes: bytes as u64 }
    }
}

impl AddAssign for StateSize {
    fn add_assign(&mut self, other: Self) {
        self.keys += other.keys;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// Sizes of values by their key, of which only the hash is kept: an actor at rest is to weigh little.
#[derive(Debug, Default)]
pub(crate) struct Sizes(Mutex<BTreeMap<u64, u32>>);

impl Sizes {
    /// A key has been read or written; none is that there is no such key.
    pub(crate) fn note(&self, key: &str, bytes: Option<usize>) {
        let (mut sizes, key) = (self.lock(), hash(key));
        match bytes {
            None => drop(sizes.remove(&key)),
            Some(_) if sizes.len() >= KEYS && !sizes.contains_key(&key) => {}
            Some(bytes) => drop(sizes.insert(key, u32::try_from(bytes).unwrap_or(u32::MAX))),
        }
    }

    /// All of it together.
    pub(crate) fn sum(&self) -> StateSize {
        let sizes = self.lock();
        StateSize { keys: sizes.len() as u64, bytes: sizes.values().map(|bytes| u64::from(*bytes)).sum() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_once_with_its_newest_value() {
        let sizes = Sizes::default();
        sizes.note("a", Some(10));
        sizes.note("b", Some(5));
        sizes.note("a", Some(3));
        assert_eq!(sizes.sum(), StateSize { keys: 2, bytes: 8 });
        sizes.note("a", None);
        assert_eq!(sizes.sum(), StateSize::of(5));
    }

    #[test]
    fn no_actor_takes_more_than_its_share_of_memory() {
        let sizes = Sizes::default();
        (0..2 * KEYS).for_each(|key| sizes.note(&key.to_string(), Some(1)));
        assert_eq!(sizes.sum().keys, KEYS as u64);
    }
}
