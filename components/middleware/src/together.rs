//! Work that is done once for all who wait for it.
use component_api::Task;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// At most one piece of work at a time. Its outcome, whatever it is, is that of all who came while it was done.
pub(crate) struct Together<T>(Mutex<Option<Running<T>>>);

struct Running<T> {
    outcome: watch::Receiver<Option<T>>,
    task: Task,
}

impl<T> Default for Together<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone + Send + Sync + 'static> Together<T> {
    /// The outcome of the work that is being done, or else of this one; none if it broke off. It goes on when those who
    /// wait for it go away.
    pub(crate) async fn outcome<F>(&self, work: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut outcome = self.begin(work);
        outcome.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// Begins the work unless some is being done.
    pub(crate) fn begin<F>(&self, work: impl FnOnce() -> F) -> watch::Receiver<Option<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = match running.take().filter(Running::goes_on) {
            Some(other) => running.insert(other),
            None => running.insert(Running::of(work())),
        };
        running.outcome.clone()
    }
}

impl<T: Send + Sync + 'static> Running<T> {
    fn of(work: impl Future<Output = T> + Send + 'static) -> Self {
        let (teller, outcome) = watch::channel(None);
        let task = Task::spawn(async move |_| drop(teller.send_replace(Some(work.await))));
        Self { outcome, task }
    }

    fn goes_on(&self) -> bool {
        self.outcome.borrow().is_none() && !self.task.is_finished()
    }
}
