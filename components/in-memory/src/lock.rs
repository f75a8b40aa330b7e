//! A lock store inside the process: for tests and for a single sidecar.
use async_trait::async_trait;
use component_api::lock::{Store, Unlocked};
use component_api::{Descriptor, Registry, Result, Status};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Expired locks are not looked for among fewer than these.
const FEW: usize = 64;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["in-memory"],
        versions: &["v1"],
        status: Status::Alpha,
        summary: "Locks in the memory of one sidecar; nothing outlives it.",
        schema: || schemars::schema_for!(NoMetadata),
    };
    registry.lock.add(descriptor, |_| async {
        let store: Arc<dyn Store> = Arc::new(InMemoryLocks::new());
        Ok(store)
    });
}

/// There is nothing to set.
#[derive(schemars::JsonSchema)]
struct NoMetadata {}

/// Keeps locks in a map.
#[derive(Debug, Default)]
pub struct InMemoryLocks(Mutex<Locks>);

#[derive(Debug, Default)]
struct Locks {
    held: HashMap<String, Held>,
    /// With as many locks as that, expired ones are removed.
    crowd: usize,
}

#[derive(Debug)]
struct Held {
    owner: String,
    /// None for longer than clocks go.
    until: Option<Instant>,
}

impl Held {
    fn is_expired(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl Locks {
    /// Once the number has doubled, so that taking a lock costs little on average.
    fn clean(&mut self, now: Instant) {
        if self.held.len() >= self.crowd {
            self.held.retain(|_, held| !held.is_expired(now));
            self.crowd = (2 * self.held.len()).max(FEW);
        }
    }
}

impl InMemoryLocks {
    /// A store without locks.
    pub fn new() -> Self {
        Self::default()
    }

    fn locks(&self) -> MutexGuard<'_, Locks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for InMemoryLocks {
    async fn try_lock(&self, resource: &str, owner: &str, expiry: Duration) -> Result<bool> {
        let now = Instant::now();
        let mut locks = self.locks();
        locks.clean(now);
        if locks.held.get(resource).is_some_and(|held| !held.is_expired(now)) {
            return Ok(false);
        }
        let held = Held { owner: owner.to_owned(), until: now.checked_add(expiry) };
        locks.held.insert(resource.to_owned(), held);
        Ok(true)
    }

    async fn unlock(&self, resource: &str, owner: &str) -> Result<Unlocked> {
        let now = Instant::now();
        let mut locks = self.locks();
        match locks.held.get(resource).filter(|held| !held.is_expired(now)) {
            None => Ok(Unlocked::NoLock),
            Some(held) if held.owner != owner => Ok(Unlocked::OtherOwner),
            Some(_) => {
                locks.held.remove(resource);
                Ok(Unlocked::Success)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn expired_locks_do_not_pile_up() {
        let store = InMemoryLocks::new();
        for number in 0..1000 {
            assert!(store.try_lock(&number.to_string(), "owner", Duration::from_secs(1)).await.unwrap());
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert!(store.locks().held.len() <= FEW);
    }
}
