//! Transactions that the store has refused: their events are waiting for nothing.
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Refusals that are remembered. A marker that is forgotten is waited for like any other.
const MOST: usize = 10_000;

/// The last markers that were not written.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<VecDeque<String>>);

impl Refusals {
    pub(super) fn note(&self, markers: impl Iterator<Item = String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(markers);
        let surplus = all.len().saturating_sub(MOST);
        all.drain(..surplus);
    }

    pub(super) fn has(&self, marker: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|one| one == marker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered() {
        let refusals = Refusals::default();
        refusals.note((0..=MOST).map(|number| number.to_string()));
        assert!(!refusals.has("0") && refusals.has("1") && refusals.has(&MOST.to_string()));
    }
}
