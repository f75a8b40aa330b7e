//! What time it is. Tests have a clock of their own.
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::time::Duration;

/// The longest sleep: a clock may be set meanwhile.
const LONGEST: Duration = Duration::from_secs(1);

/// Tells the time, and waits for one.
pub(crate) trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

    /// Waits for a time, or a little less long; without one, forever.
    fn until(&self, time: Option<Timestamp>) -> BoxFuture<'static, ()>;
}

/// The clock of the system.
pub(crate) struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn until(&self, time: Option<Timestamp>) -> BoxFuture<'static, ()> {
        let Some(time) = time else { return std::future::pending().boxed() };
        let left = Duration::try_from(time.duration_since(self.now())).unwrap_or_default();
        tokio::time::sleep(left.min(LONGEST)).boxed()
    }
}
