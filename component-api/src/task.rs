//! A background task of a component, ended by dropping its owner.
use std::future::Future;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Owns one task. Dropping it ends the task; [`Task::close`] asks it to finish and waits.
#[derive(Debug)]
pub struct Task {
    stopping: CancellationToken,
    handle: Option<JoinHandle<()>>,
}

impl Task {
    /// Runs a task that watches the given token to finish what it has begun.
    #[allow(clippy::disallowed_methods)] // The one place of the components that spawns.
    pub fn spawn<F, Fut>(task: F) -> Self
    where
        F: FnOnce(CancellationToken) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let stopping = CancellationToken::new();
        let handle = tokio::spawn(task(stopping.clone()));
        Self { stopping, handle: Some(handle) }
    }

    /// Runs something that is given up as soon as the task shall finish, or `closing` is cancelled.
    pub fn until(closing: CancellationToken, work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self::spawn(|stopping| async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = closing.cancelled() => {}
                () = work => {}
            }
        })
    }

    /// Whether the task has come to its end.
    pub fn is_finished(&self) -> bool {
        self.handle.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Asks the task to finish and waits for its end.
    pub async fn close(mut self) {
        self.stopping.cancel();
        if let Some(handle) = self.handle.take() {
            handle.await.ok();
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.stopping.cancel();
        if let Some(handle) = self.handle.take() {
            handle.abort();
        }
    }
}
