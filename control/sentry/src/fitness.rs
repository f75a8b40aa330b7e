//! Whether sentry can do its work: somebody tells who asks, and what signs has not ended.
use foundation_process::Ready;
use std::sync::Mutex;
use std::sync::PoisonError;

/// What its health is made of.
pub(crate) struct Fitness {
    ready: Ready,
    facts: Mutex<Facts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    has_validators: bool,
    has_ended: bool,
}

impl Fitness {
    pub(crate) fn new(ready: Ready) -> Self {
        Self { ready, facts: Mutex::default() }
    }

    /// The validators can tell who asks.
    pub(crate) fn validators_are_ready(&self) {
        self.note(|facts| facts.has_validators = true);
    }

    /// Whether the issuer or its root has ended, so that nothing is signed.
    pub(crate) fn issuer_has_ended(&self, has_ended: bool) {
        self.note(|facts| facts.has_ended = has_ended);
    }

    /// The health follows under the lock, so that the last word is that of the last who spoke.
    fn note(&self, change: impl FnOnce(&mut Facts)) {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut facts);
        self.ready.set(facts.has_validators && !facts.has_ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_both_to_be_well() {
        let ready = Ready::default();
        let fitness = Fitness::new(ready.clone());
        fitness.issuer_has_ended(false);
        assert!(!ready.get());
        fitness.validators_are_ready();
        assert!(ready.get());
        fitness.issuer_has_ended(true);
        assert!(!ready.get());
        fitness.issuer_has_ended(false);
        assert!(ready.get());
    }
}
