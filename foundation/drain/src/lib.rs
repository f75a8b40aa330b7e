//! Ownership of tasks: every spawned task belongs to a [`Drain`], and ends when its drain does.
mod isolated;
mod places;
mod retry;

pub use isolated::{Panicked, isolated};
pub use places::{Change, Places};
pub use retry::until_done;

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Owns tasks and tells them when to stop. Clones share the same tasks.
#[derive(Clone, Debug)]
pub struct Drain {
    stopping: CancellationToken,
    tasks: TaskTracker,
    whole: Arc<Whole>,
}

/// A drain without a parent and all below it.
#[derive(Debug)]
struct Whole {
    stopping: CancellationToken,
    failure: OnceLock<String>,
}

impl Default for Drain {
    fn default() -> Self {
        let stopping = CancellationToken::new();
        let whole = Arc::new(Whole { stopping: stopping.clone(), failure: OnceLock::new() });
        Self { stopping, tasks: TaskTracker::new(), whole }
    }
}

impl Drain {
    /// A drain with no parent.
    pub fn new() -> Self {
        Self::default()
    }

    /// A drain that stops when this one does, and that this one waits for.
    pub fn child(&self) -> Self {
        Self { stopping: self.stopping.child_token(), tasks: self.tasks.clone(), whole: Arc::clone(&self.whole) }
    }

    /// Runs a task that watches [`Drain::stopped`] by itself, to finish what it has begun.
    #[allow(clippy::disallowed_methods)] // The one place that spawns.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(task);
    }

    /// Runs a task that may be dropped at any await point when the drain stops.
    pub fn spawn_until_stopped<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // What is awaited by value is kept three times here, for as long as the task runs.
        let (stopping, task) = (self.stopping.clone(), Box::pin(task));
        self.spawn(async move {
            stopping.run_until_cancelled(task).await;
        });
    }

    /// Runs work as a task of its own and waits for it. Who gives up waiting leaves it to go on.
    pub async fn finish<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (done, finished) = oneshot::channel();
        self.spawn(async move {
            work.await;
            done.send(()).ok();
        });
        finished.await.ok();
    }

    /// Asks all tasks to stop; returns at once.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Something has failed without which nothing here is of use: all stops, up to the drain without a parent. Whoever owns that
    /// learns the first reason from [`Drain::failure`].
    pub fn fail(&self, reason: impl Into<String>) {
        // Another reason was there before.
        self.whole.failure.set(reason.into()).ok();
        self.whole.stopping.cancel();
    }

    /// Why all was stopped, if something has failed.
    pub fn failure(&self) -> Option<&str> {
        self.whole.failure.get().map(String::as_str)
    }

    /// Resolves when the drain has been asked to stop.
    pub async fn stopped(&self) {
        self.stopping.cancelled().await;
    }

    /// Whether the drain has been asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// The token that tells of the stop, for libraries that take one.
    pub fn token(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Asks all tasks to stop and waits for them, at most `patience`. Returns whether all of them ended in time.
    pub async fn close(&self, patience: Duration) -> bool {
        self.stop();
        self.tasks.close();
        tokio::time::timeout(patience, self.tasks.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn close_waits_for_tasks_that_finish_their_work() {
        let drain = Drain::new();
        let inner = drain.child();
        let (sent, received) = oneshot::channel();
        drain.spawn(async move {
            inner.stopped().await;
            sent.send(()).ok();
        });
        assert!(drain.close(Duration::from_secs(5)).await);
        assert!(received.await.is_ok());
    }

    #[tokio::test]
    async fn a_failure_stops_all_and_the_first_reason_is_known() {
        let drain = Drain::new();
        let (one, other) = (drain.child(), drain.child().child());
        other.stop();
        assert!(drain.failure().is_none() && !drain.is_stopped());
        other.fail("the first");
        drain.fail("another");
        assert_eq!((one.is_stopped(), drain.is_stopped(), drain.failure()), (true, true, Some("the first")));
        assert_eq!(Drain::new().failure(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn close_gives_up_after_its_patience() {
        let drain = Drain::new();
        drain.spawn(std::future::pending());
        assert!(!drain.close(Duration::from_secs(1)).await);
    }

    #[tokio::test]
    async fn a_task_ends_at_any_await_when_asked() {
        let drain = Drain::new();
        drain.spawn_until_stopped(std::future::pending());
        assert!(drain.close(Duration::from_secs(5)).await);
    }
}
