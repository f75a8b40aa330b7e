//! Values by the values of labels, found without allocating.
use indexmap::{Equivalent, IndexMap};
use std::hash::{Hash, Hasher};
use std::sync::{PoisonError, RwLock};

/// A bounded map from label values to what was made for them.
pub(super) struct Cache<T> {
    entries: RwLock<IndexMap<Labels, T>>,
    limit: usize,
}

/// Label values that a map owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Labels(Box<[Box<str>]>);

/// Label values to look for.
struct Wanted<'a>(&'a [&'a str]);

impl<T: Clone> Cache<T> {
    /// A cache of so many entries at most.
    pub(super) fn new(limit: usize) -> Self {
        Self { entries: RwLock::new(IndexMap::new()), limit }
    }

    /// What the values have.
    pub(super) fn get(&self, values: &[&str]) -> Option<T> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(&Wanted(values)).cloned()
    }

    /// What the values have, or what is made for them now; `None` when nothing can be made or the cache is full.
    pub(super) fn get_or_make(&self, values: &[&str], make: impl FnOnce() -> Option<T>) -> Option<T> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = entries.get(&Wanted(values)) {
            return Some(known.clone());
        }
        if entries.len() >= self.limit {
            return None;
        }
        let made = make()?;
        entries.insert(Labels(values.iter().map(|&value| value.into()).collect()), made.clone());
        Some(made)
    }

    /// Makes room: what the values have is not kept any more.
    pub(super) fn forget(&self, values: &[&str]) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).swap_remove(&Wanted(values));
    }

    /// Everything that is kept.
    pub(super) fn all(&self) -> Vec<T> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

// Both hash each value with its end, so that ("ab", "c") and ("a", "bc") differ.
impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|value| value.hash(state));
    }
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|value| value.hash(state));
    }
}

impl Equivalent<Labels> for Wanted<'_> {
    fn equivalent(&self, key: &Labels) -> bool {
        self.0.len() == key.0.len() && self.0.iter().zip(&key.0).all(|(wanted, known)| **wanted == **known)
    }
}
