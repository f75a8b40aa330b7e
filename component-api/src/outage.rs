//! Keeps a trouble that lasts from filling the log.
use std::time::{Duration, Instant};

/// How often it is said again that something still does not work.
const AGAIN: Duration = Duration::from_secs(300);

/// A stretch of time in which something does not work.
#[derive(Debug, Default)]
pub struct Outage {
    /// When it was said last; none while everything works.
    said: Option<Instant>,
}

impl Outage {
    /// Notes a failure. Returns whether it is to be said: at the first, and then every five minutes.
    pub fn failed(&mut self) -> bool {
        let due = self.said.is_none_or(|said| said.elapsed() >= AGAIN);
        if due {
            self.said = Some(Instant::now());
        }
        due
    }

    /// Notes a success. Returns whether it is the end of an outage.
    pub fn worked(&mut self) -> bool {
        self.said.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_said() {
        let mut outage = Outage::default();
        assert!(!outage.worked());
        assert!(outage.failed() && !outage.failed());
        assert!(outage.worked() && !outage.worked());
        assert!(outage.failed());
    }
}
