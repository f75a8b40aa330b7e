//! Chance that can be had again by its seed.
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Chance. Clones draw from the same source.
#[derive(Clone)]
pub(crate) struct Random(Arc<Mutex<StdRng>>);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// A number from 0 to less than `end`.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.0.lock().unwrap().random_range(0..end.max(1))
    }

    pub(crate) fn index(&self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap()
    }

    pub(crate) fn one_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn millis(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least))
    }
}
