//! A background task of a component, ended by dropping its owner.
use crate::{Kind, Result};
use std::future::Future;
use std::time::Duration;
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

    /// Removes what has expired, by `clean`, in every interval; an interval of zero is never. A server that is away is none of
    /// its business.
    pub fn cleaning<F, Fut>(interval: Duration, clean: F) -> Option<Self>
    where
        F: Fn() -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send,
    {
        if interval.is_zero() {
            return None;
        }
        Some(Self::spawn(|_| async move {
            let mut times = tokio::time::interval(interval);
            times.tick().await;
            loop {
                times.tick().await;
                match clean().await {
                    Err(error) if error.kind() != Kind::Unavailable => {
                        tracing::warn!(target: "dapr.contrib", "expired entries stay for now: {error}");
                    }
                    _ => {}
                }
            }
        }))
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

/// Tells of the end of a subscription, or of the whole component that it belongs to.
#[derive(Clone, Debug)]
pub struct Ending {
    pub subscription: CancellationToken,
    pub component: CancellationToken,
}

impl Ending {
    /// Waits for it.
    pub async fn comes(&self) {
        tokio::select! {
            () = self.subscription.cancelled() => {}
            () = self.component.cancelled() => {}
        }
    }

    /// Whether it has come.
    pub fn has_come(&self) -> bool {
        self.subscription.is_cancelled() || self.component.is_cancelled()
    }
}
