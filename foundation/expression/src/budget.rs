//! What evaluations may spend.
use cel::common::types::CelBool;
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The variable that each step of a loop reads. No expression can be written that has it.
pub(crate) const STEP: &str = "@step";

/// Ends loops that take too long: when it is spent, each of their steps is an error.
#[derive(Debug)]
pub struct Budget {
    /// None is without limit.
    until: Option<Instant>,
    spent: AtomicBool,
    go_on: CelBool,
}

impl Budget {
    /// For expressions whose loops are short by themselves.
    pub fn unlimited() -> Self {
        Self { until: None, spent: AtomicBool::new(false), go_on: true.into() }
    }

    /// For evaluations that may take so long together, from now on.
    pub fn lasting(time: Duration) -> Self {
        Self { until: Instant::now().checked_add(time), ..Self::unlimited() }
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed)
    }

    fn goes_on(&self) -> bool {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            self.spent.store(true, Ordering::Relaxed);
        }
        !self.is_spent()
    }
}

impl VariableResolver for Budget {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        (variable == STEP && self.goes_on()).then(|| CowVal::Borrowed(&self.go_on))
    }
}
