//! Readiness: every part of the sidecar is a target, and the whole is ready when all of them are (surface.md 5.4).
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The targets of one health endpoint. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Targets>>);

#[derive(Debug, Default)]
struct Targets {
    count: usize,
    unready: BTreeSet<&'static str>,
}

/// One part that reports whether it is ready; at first it is not.
#[derive(Clone, Debug)]
pub struct Target {
    name: &'static str,
    health: Health,
}

impl Health {
    /// No targets, which is not ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part that has to be ready.
    #[must_use]
    pub fn target(&self, name: &'static str) -> Target {
        let mut targets = self.lock();
        targets.count += 1;
        targets.unready.insert(name);
        Target { name, health: self.clone() }
    }

    /// Whether all parts are ready, and there is at least one.
    pub fn is_ready(&self) -> bool {
        let targets = self.lock();
        targets.count > 0 && targets.unready.is_empty()
    }

    /// Names of the parts that are not ready.
    pub fn unready(&self) -> Vec<&'static str> {
        self.lock().unready.iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Targets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    /// The part is ready.
    pub fn ready(&self) {
        self.health.lock().unready.remove(self.name);
    }

    /// The part is not ready any more.
    pub fn not_ready(&self) {
        self.health.lock().unready.insert(self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_targets_have_to_be_ready() {
        let health = Health::new();
        assert!(!health.is_ready());
        let (one, other) = (health.target("runtime"), health.target("grpc-api-server"));
        one.ready();
        assert_eq!((health.is_ready(), health.unready()), (false, vec!["grpc-api-server"]));
        other.ready();
        assert!(health.is_ready());
        one.not_ready();
        assert_eq!(health.unready(), ["runtime"]);
    }
}
