//! Evaluations off the workers, whose only one may serve everything else.
use crate::budget::Budget;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// For all evaluations of one piece of work.
const LIMIT: Duration = Duration::from_secs(1);
/// Then a single step, which nothing can interrupt, takes too long itself; its thread is left to it.
const GIVE_UP: Duration = Duration::from_secs(3);
/// Until one of the threads is free.
const TURN: Duration = Duration::from_secs(10);
/// Threads of the process: a sidecar that has started again must not add to those which its earlier self has left behind.
static THREADS: Semaphore = Semaphore::const_new(2);

/// Why evaluations have no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Late {
    #[error("no thread was free for it within {TURN:?}; check rules with macros (all, exists, map, filter)")]
    NoTurn,
    #[error("it takes longer than {GIVE_UP:?}; check its macros (all, exists, map, filter) against long lists")]
    NoEnd,
    #[error("its evaluation broke off")]
    BrokenOff,
}

/// Evaluates expressions with loops on a thread of their own, of which there are few.
///
/// # Errors
/// When there is no outcome in time. A thread that goes on by then does not hold up the end of the process.
pub async fn apart<T, W>(work: W) -> Result<T, Late>
where
    T: Send + 'static,
    W: FnOnce(&Budget) -> T + Send + 'static,
{
    let turn = timeout(TURN, THREADS.acquire()).await.map_err(|_| Late::NoTurn)?;
    let turn = turn.map_err(|_| Late::BrokenOff)?;
    let evaluation = spawn_blocking(move || {
        let _turn = turn;
        work(&Budget::lasting(LIMIT))
    });
    timeout(GIVE_UP, evaluation).await.map_err(|_| Late::NoEnd)?.map_err(|_| Late::BrokenOff)
}
