//! `--app-max-concurrency`: calls of the app take turns.
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// HTTP/1.1 connections to the app at a time (surface.md 4.5).
pub(crate) const MOST_CONNECTIONS: usize = 1024;

/// How many calls run at a time.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Option<Arc<Semaphore>>);

/// One running call; the next one may start when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Turn(#[allow(dead_code)] Option<OwnedSemaphorePermit>);

impl Turns {
    /// 0 is without limit.
    pub(crate) fn new(most: usize) -> Self {
        Self((most > 0).then(|| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)))))
    }

    /// Waits until a call may run.
    pub(crate) async fn take(&self) -> Turn {
        match &self.0 {
            // The semaphore is never closed.
            Some(turns) => Turn(Arc::clone(turns).acquire_owned().await.ok()),
            None => Turn(None),
        }
    }
}
