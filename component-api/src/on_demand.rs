//! Something that is made when it is first needed, such as a connection, and that all operations share.
use crate::Error;
use futures_util::future::{BoxFuture, FutureExt, Shared, WeakShared};
use std::fmt;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One that is being made; whoever waits for it drives it on, so that none waits for one who sleeps.
type Attempt<T, E> = Shared<BoxFuture<'static, Result<T, E>>>;
type WeakAttempt<T, E> = WeakShared<BoxFuture<'static, Result<T, E>>>;

/// Something that is made when it is first needed. All who wait for it at the same time get the same one, or the same
/// error; after an error, and after [`OnDemand::discard`], the next one makes it anew.
pub struct OnDemand<T, E = Error> {
    state: Mutex<State<T, E>>,
}

/// Which one it was of all that were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serial(u64);

struct State<T, E> {
    latest: u64,
    stage: Stage<T, E>,
}

enum Stage<T, E> {
    Missing,
    /// It goes no further, and begins anew, when nobody waits for it any more.
    BeingMade(WeakAttempt<T, E>),
    Made(T),
}

impl<T: Clone + Send + 'static, E: Clone + Send + 'static> OnDemand<T, E> {
    /// The one that there is, or a new one, with its number.
    ///
    /// # Errors
    /// It could not be made.
    pub async fn get<F>(&self, make: impl FnOnce() -> F) -> Result<(T, Serial), E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let (attempt, number) = {
            let mut state = self.state();
            match &state.stage {
                Stage::Made(made) => return Ok((made.clone(), Serial(state.latest))),
                Stage::BeingMade(attempt) if let Some(attempt) = attempt.upgrade() => (attempt, state.latest),
                _ => state.begin(make().boxed().shared()),
            }
        };
        let made = attempt.await;
        self.state().conclude(number, &made);
        made.map(|made| (made, Serial(number)))
    }

    /// Lets go of the one with that number, which is of no use any more. One that was made since stays.
    pub fn discard(&self, Serial(number): Serial) {
        let mut state = self.state();
        if state.latest == number {
            state.stage = Stage::Missing;
        }
    }

    /// Lets go of whatever there is, and returns it.
    pub fn take(&self) -> Option<T> {
        let mut state = self.state();
        state.latest += 1;
        match std::mem::replace(&mut state.stage, Stage::Missing) {
            Stage::Made(made) => Some(made),
            _ => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone, E: Clone> State<T, E> {
    fn begin(&mut self, attempt: Attempt<T, E>) -> (Attempt<T, E>, u64) {
        self.latest += 1;
        self.stage = attempt.downgrade().map_or(Stage::Missing, Stage::BeingMade);
        (attempt, self.latest)
    }

    /// The first of those who waited notes what came of it.
    fn conclude(&mut self, number: u64, made: &Result<T, E>) {
        if self.latest == number && matches!(self.stage, Stage::BeingMade(_)) {
            self.stage = made.as_ref().map_or(Stage::Missing, |made| Stage::Made(made.clone()));
        }
    }
}

impl<T, E> Default for OnDemand<T, E> {
    fn default() -> Self {
        Self { state: Mutex::new(State { latest: 0, stage: Stage::Missing }) }
    }
}

impl<T, E> fmt::Debug for OnDemand<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnDemand").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::ready;
    use std::sync::Arc;
    use tokio::sync::Notify;

    /// What each of three gets who wait at the same time.
    async fn three_wait(shared: &OnDemand<u32, u32>, made: Result<u32, u32>) -> Vec<Result<u32, u32>> {
        let gate = Arc::new(Notify::new());
        let wait = || {
            let gate = Arc::clone(&gate);
            shared.get(|| async move {
                gate.notified().await;
                made
            })
        };
        let (first, second, third, ()) = tokio::join!(wait(), wait(), wait(), async { gate.notify_one() });
        [first, second, third].into_iter().map(|got| got.map(|(value, _)| value)).collect()
    }

    #[tokio::test]
    async fn all_who_wait_get_the_same_one_or_the_same_error() {
        let shared = OnDemand::default();
        assert_eq!(three_wait(&shared, Err(1)).await, [Err(1); 3]);
        assert_eq!(three_wait(&shared, Ok(2)).await, [Ok(2); 3]);
        assert_eq!(three_wait(&shared, Ok(3)).await, [Ok(2); 3], "it was made already");
    }

    #[tokio::test]
    async fn only_the_one_that_is_meant_is_discarded() {
        let shared = OnDemand::<u32, u32>::default();
        let (_, first) = shared.get(|| ready(Ok(1))).await.unwrap();
        shared.discard(first);
        let (_, second) = shared.get(|| ready(Ok(2))).await.unwrap();
        shared.discard(first);
        assert_eq!(shared.get(|| ready(Ok(3))).await, Ok((2, second)));
        assert_eq!(shared.take(), Some(2));
        assert_eq!(shared.get(|| ready(Ok(3))).await.unwrap().0, 3);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_begins_anew() {
        let (shared, never) = (OnDemand::<u32, u32>::default(), Arc::new(Notify::new()));
        let waiting = Arc::clone(&never);
        let abandoned = shared.get(|| async move {
            waiting.notified().await;
            Ok(1)
        });
        assert!(futures_util::poll!(Box::pin(abandoned)).is_pending());
        assert_eq!(shared.get(|| ready(Ok(2))).await.unwrap().0, 2);
    }
}
