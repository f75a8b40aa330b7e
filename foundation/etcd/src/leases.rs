//! Leases: keys that go when their holder does not come back in time.
//!
//! They live in memory only. Holders lose their connection when the store ends, so that nothing of them outlives it.
use crate::Error;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// In seconds; etcd's own bound.
const LONGEST: i64 = 9_000_000_000;
/// An instant that does not come.
const FAR: Duration = Duration::from_secs(100 * 365 * 86_400);

#[derive(Default)]
pub(crate) struct Leases {
    granted: Mutex<BTreeMap<i64, Lease>>,
    changed: Notify,
}

#[derive(Clone, Copy)]
struct Lease {
    seconds: i64,
    deadline: Instant,
}

/// What is left of a lease, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) granted: i64,
    pub(crate) remaining: i64,
}

impl Leases {
    /// Grants a lease; id 0 takes any. Returns the id and the seconds that it is granted for.
    pub(crate) fn grant(&self, id: i64, seconds: i64) -> Result<(i64, i64), Error> {
        if seconds > LONGEST {
            return Err(Error::LongLease);
        }
        let mut granted = self.granted();
        let id = chosen(id);
        if granted.contains_key(&id) {
            return Err(Error::LeaseExists);
        }
        let seconds = seconds.max(1);
        granted.insert(id, Lease { seconds, deadline: deadline(seconds) });
        self.changed.notify_one();
        Ok((id, seconds))
    }

    /// Its holder is there. Returns the seconds that it is granted for from now on.
    pub(crate) fn renew(&self, id: i64) -> Option<i64> {
        let mut granted = self.granted();
        let lease = granted.get_mut(&id)?;
        lease.deadline = deadline(lease.seconds);
        Some(lease.seconds)
    }

    pub(crate) fn end(&self, id: i64) -> bool {
        self.granted().remove(&id).is_some()
    }

    /// The leases that a file has, in place of those that are known.
    pub(crate) fn restore(&self, leases: Vec<(i64, i64)>) {
        let lease = |seconds| Lease { seconds, deadline: deadline(seconds) };
        *self.granted() = leases.into_iter().map(|(id, seconds)| (id, lease(seconds))).collect();
        self.changed.notify_one();
    }

    /// All begin anew: how long ago their holders were there is not known here.
    pub(crate) fn extend(&self) {
        self.granted().values_mut().for_each(|lease| lease.deadline = deadline(lease.seconds));
        self.changed.notify_one();
    }

    pub(crate) fn has(&self, id: i64) -> bool {
        self.granted().contains_key(&id)
    }

    pub(crate) fn left(&self, id: i64) -> Option<Left> {
        let lease = *self.granted().get(&id)?;
        let remaining = lease.deadline.saturating_duration_since(Instant::now()).as_secs();
        Some(Left { granted: lease.seconds, remaining: i64::try_from(remaining).unwrap_or(i64::MAX) })
    }

    pub(crate) fn ids(&self) -> Vec<i64> {
        self.granted().keys().copied().collect()
    }

    /// Waits for a lease whose time is up.
    pub(crate) async fn expired(&self) -> i64 {
        loop {
            let next = self.granted().iter().map(|(id, lease)| (lease.deadline, *id)).min();
            match next {
                Some((deadline, id)) if deadline <= Instant::now() => return id,
                Some((deadline, _)) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(deadline) => {}
                        () = self.changed.notified() => {}
                    }
                }
                None => self.changed.notified().await,
            }
        }
    }

    fn granted(&self) -> MutexGuard<'_, BTreeMap<i64, Lease>> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An id that nobody else has, unless one is wanted.
pub(crate) fn chosen(id: i64) -> i64 {
    if id == 0 { rand::random::<i64>().saturating_abs().max(1) } else { id }
}

fn deadline(seconds: i64) -> Instant {
    let duration = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    Instant::now() + duration.min(FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_ends_when_it_is_not_renewed() {
        let leases = Leases::default();
        let (long, _) = leases.grant(0, 20).unwrap();
        leases.grant(7, 10).unwrap();
        assert_eq!(leases.grant(7, 10), Err(Error::LeaseExists));
        let start = Instant::now();
        assert_eq!(leases.expired().await, 7);
        assert_eq!(start.elapsed().as_secs(), 10);
        assert!(leases.end(7) && !leases.has(7) && !leases.end(7));
        assert_eq!(leases.renew(long), Some(20));
        assert_eq!(leases.expired().await, long);
        assert_eq!(start.elapsed().as_secs(), 30);
    }
}
