//! Circuit breakers at work, as many as are worth keeping.
use crate::breaker::{Breaker, BreakerPolicy};
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

/// A size that cannot be zero.
pub(crate) const fn at_least_one(size: usize) -> NonZeroUsize {
    match NonZeroUsize::new(size) {
        Some(size) => size,
        None => NonZeroUsize::MIN,
    }
}

/// Breakers by name; those not used for longest are forgotten, and then closed.
#[derive(Debug)]
pub(crate) struct Breakers(Mutex<LruCache<String, Arc<Breaker>>>);

impl Breakers {
    /// Keeps at most so many.
    pub(crate) fn new(most: NonZeroUsize) -> Self {
        Self(Mutex::new(LruCache::new(most)))
    }

    /// The breaker of that name, made when it is not there.
    pub(crate) fn get(&self, name: String, policy: &Arc<BreakerPolicy>) -> Arc<Breaker> {
        let mut breakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(breaker) = breakers.get(&name) {
            return Arc::clone(breaker);
        }
        let breaker = Arc::new(Breaker::new(name.clone(), Arc::clone(policy)));
        breakers.put(name, Arc::clone(&breaker));
        breaker
    }
}
