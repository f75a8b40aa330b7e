//! The states of breakers, on a clock that stands still.
use super::*;
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);

fn breaker(max_requests: u32, interval: Duration, trip: &str) -> Breaker {
    let policy = BreakerPolicy { max_requests, interval, timeout: 5 * SECOND, trip: Trip::parse(trip).unwrap() };
    Breaker::new("test".to_owned(), Arc::new(policy))
}

fn call(breaker: &Breaker, good: bool) {
    breaker.enter().unwrap().leave(good);
}

fn refusal(breaker: &Breaker) -> Option<Refusal> {
    breaker.enter().err()
}

#[tokio::test(start_paused = true)]
async fn it_opens_closes_and_opens_again() {
    let breaker = breaker(1, Duration::ZERO, "consecutiveFailures >= 2");
    call(&breaker, false);
    call(&breaker, true);
    call(&breaker, false);
    assert_eq!(breaker.state(), State::Closed);
    call(&breaker, false);
    assert_eq!((breaker.state(), refusal(&breaker)), (State::Open, Some(Refusal::Open)));
    advance(5 * SECOND + Duration::from_millis(1)).await;
    assert_eq!(breaker.state(), State::HalfOpen);
    call(&breaker, false);
    assert_eq!(breaker.state(), State::Open);
    advance(6 * SECOND).await;
    call(&breaker, true);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn half_open_lets_few_calls_through() {
    let breaker = breaker(2, Duration::ZERO, "consecutiveFailures >= 1");
    call(&breaker, false);
    advance(6 * SECOND).await;
    let first = breaker.enter().unwrap();
    let second = breaker.enter().unwrap();
    assert_eq!(refusal(&breaker), Some(Refusal::TooManyRequests));
    first.leave(true);
    assert_eq!(breaker.state(), State::HalfOpen);
    second.leave(true);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn counts_are_cleared_each_interval_while_closed() {
    let breaker = breaker(1, SECOND, "totalFailures >= 2");
    call(&breaker, false);
    advance(2 * SECOND).await;
    call(&breaker, false);
    assert_eq!(breaker.state(), State::Closed);
    call(&breaker, false);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn outcomes_from_before_a_change_do_not_count() {
    let breaker = breaker(1, Duration::ZERO, "consecutiveFailures >= 1");
    let slow = breaker.enter().unwrap();
    call(&breaker, false);
    advance(6 * SECOND).await;
    assert_eq!(breaker.state(), State::HalfOpen);
    slow.leave(false);
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_has_failed() {
    let breaker = breaker(1, Duration::ZERO, "consecutiveFailures >= 1");
    drop(breaker.enter());
    assert_eq!(breaker.state(), State::Open);
    advance(6 * SECOND).await;
    drop(breaker.enter());
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn without_an_expression_six_failures_in_a_row_open_it() {
    let breaker = Breaker::new("test".to_owned(), Arc::new(BreakerPolicy::default()));
    (0..5).for_each(|_| call(&breaker, false));
    assert_eq!(breaker.state(), State::Closed);
    call(&breaker, false);
    assert_eq!(breaker.state(), State::Open);
}
