//! Calls by policy, on a clock that stands still.
use super::*;
use crate::breaker::BreakerPolicy;
use crate::matching::Matching;
use crate::trip::Trip;
use std::cell::Cell;
use std::collections::VecDeque;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// A failure with a status, or one that is permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Status(i32),
    Permanent,
    Plain,
}

impl Failure for Trouble {
    fn code(&self) -> Option<i32> {
        if let Self::Status(code) = self { Some(*code) } else { None }
    }

    fn is_permanent(&self) -> bool {
        *self == Self::Permanent
    }
}

/// What an attempt does: it takes so many seconds and then fails or succeeds.
type Step = (u64, Option<Trouble>);

const GOOD: Step = (0, None);
const BAD: Step = (0, Some(Trouble::Plain));

fn retry(limit: u32, http: &str) -> Option<Arc<Retry>> {
    let matching = Matching::parse(http, "").unwrap();
    Some(Arc::new(Retry { matching, ..Retry::constant(SECOND, limit) }))
}

fn breaker(trip: &str) -> Option<Arc<Breaker>> {
    let policy = BreakerPolicy { trip: Trip::parse(trip).unwrap(), ..BreakerPolicy::default() };
    Some(Arc::new(Breaker::new("test".to_owned(), Arc::new(policy))))
}

/// Runs the steps by a policy; the last one stays. Returns the outcome, the attempts and the seconds that it took.
async fn run(policy: &Policy, steps: &[Step]) -> (Result<(), Error<Trouble>>, u32, u64) {
    let (attempts, start) = (Cell::new(0), Instant::now());
    let mut steps: VecDeque<_> = steps.iter().copied().collect();
    let outcome = policy.run(|| {
        attempts.set(attempts.get() + 1);
        let (seconds, trouble) = steps[0];
        if steps.len() > 1 {
            steps.pop_front();
        }
        async move {
            sleep(Duration::from_secs(seconds)).await;
            trouble.map_or(Ok(()), Err)
        }
    });
    (outcome.await, attempts.get(), start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn without_a_policy_a_call_is_made_once() {
    assert_eq!(run(&Policy::default(), &[BAD]).await, (Err(Error::Failed(Trouble::Plain)), 1, 0));
    assert_eq!(run(&Policy::default(), &[(7, None)]).await, (Ok(()), 1, 7));
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_up_to_the_limit() {
    let policy = Policy { retry: retry(3, ""), ..Policy::default() };
    assert_eq!(run(&policy, &[BAD, BAD, GOOD]).await, (Ok(()), 3, 2));
    assert_eq!(run(&policy, &[BAD]).await, (Err(Error::Failed(Trouble::Plain)), 4, 3));
    assert_eq!(run(&policy.clone().once(), &[BAD]).await.1, 1);
    assert!(policy.retries() && !policy.once().retries());
}

#[tokio::test(start_paused = true)]
async fn only_matching_statuses_are_tried_again() {
    let policy = Policy { retry: retry(2, "500-599"), ..Policy::default() };
    for (trouble, attempts) in [
        (Trouble::Status(503), 3),
        (Trouble::Status(404), 1),
        (Trouble::Status(14), 3),
        (Trouble::Status(20), 1),
        (Trouble::Permanent, 1),
        (Trouble::Plain, 3),
    ] {
        let (outcome, tried, _) = run(&policy, &[(0, Some(trouble))]).await;
        assert_eq!((outcome, tried), (Err(Error::Failed(trouble)), attempts));
    }
}

#[tokio::test(start_paused = true)]
async fn the_timeout_is_that_of_each_attempt() {
    let policy = Policy { timeout: Some(2 * SECOND), retry: retry(1, "500"), ..Policy::default() };
    assert_eq!(run(&policy, &[(3, None), (1, None)]).await, (Ok(()), 2, 4));
    assert_eq!(run(&policy, &[(3, None)]).await, (Err(Error::TimedOut), 2, 5));
}

#[tokio::test(start_paused = true)]
async fn the_breaker_sees_each_attempt_and_ends_the_tries() {
    let policy = Policy { retry: retry(5, ""), breaker: breaker("consecutiveFailures >= 2"), ..Policy::default() };
    assert_eq!(run(&policy, &[BAD]).await, (Err(Error::Open), 2, 2));
    assert_eq!(run(&policy, &[GOOD]).await, (Err(Error::Open), 0, 0));
    sleep(61 * SECOND).await;
    assert_eq!(run(&policy, &[GOOD]).await, (Ok(()), 1, 0));
    assert_eq!(run(&policy, &[GOOD]).await, (Ok(()), 1, 0));
}

#[tokio::test(start_paused = true)]
async fn timeouts_and_permanent_failures_open_the_breaker_too() {
    let timeout = Some(SECOND);
    let policy = Policy { timeout, breaker: breaker("consecutiveFailures >= 1"), ..Policy::default() };
    assert_eq!(run(&policy, &[(2, None)]).await.0, Err(Error::TimedOut));
    assert_eq!(run(&policy, &[GOOD]).await.0, Err(Error::Open));
    let policy = Policy { breaker: breaker("consecutiveFailures >= 1"), ..Policy::default() };
    assert_eq!(run(&policy, &[(0, Some(Trouble::Permanent))]).await.0, Err(Error::Failed(Trouble::Permanent)));
    assert_eq!(run(&policy, &[GOOD]).await.0, Err(Error::Open));
}
