//! Policies as resources write them.
use super::*;
use serde_json::{Value, json};

fn tables(policies: Value) -> Result<Tables, Invalid> {
    let mut tables = Tables::default();
    tables.add(&serde_json::from_value(policies).unwrap())?;
    Ok(tables)
}

fn retry_of(written: Value) -> Retry {
    let tables = tables(json!({"retries": {"r": written}})).unwrap();
    Retry::clone(&tables.choose("", "r", "").retry.unwrap())
}

#[test]
fn retries_have_defaults() {
    let seconds = Duration::from_secs;
    assert_eq!(retry_of(json!({})), Retry { limit: None, ..Retry::constant(seconds(5), 0) });
    assert_eq!(retry_of(json!({"duration": "10", "maxRetries": 0})), Retry::constant(Duration::from_millis(10), 0));
    let growing = retry_of(json!({"policy": "Exponential", "maxInterval": "15s", "maxRetries": -1}));
    let pauses = Pauses::Growing { longest: seconds(15), give_up_after: LONGEST };
    assert_eq!((growing.pauses, growing.limit), (pauses, None));
    let matching = retry_of(json!({"matching": {"httpStatusCodes": "500", "gRPCStatusCodes": "14"}})).matching;
    assert_eq!(matching, Matching::parse("500", "14").unwrap());
}

#[test]
fn breakers_have_defaults() {
    let of = |written: Value| {
        let tables = tables(json!({"circuitBreakers": {"b": written}})).unwrap();
        let breaker = tables.choose("", "", "b").breaker.unwrap().1;
        (breaker.max_requests, breaker.interval.as_secs(), breaker.timeout.as_secs())
    };
    assert_eq!(of(json!({})), (1, 0, 60));
    assert_eq!(of(json!({"maxRequests": 3, "interval": "8s", "timeout": "45s", "trip": "requests > 3"})), (3, 8, 45));
    assert_eq!(of(json!({"timeout": "0s"})), (1, 0, 60));
}

#[test]
fn what_cannot_be_read_is_refused() {
    for policies in [
        json!({"timeouts": {"t": "soon"}}),
        json!({"retries": {"r": {"policy": "random"}}}),
        json!({"retries": {"r": {"duration": "1"}, "s": {"matching": {"httpStatusCodes": "11"}}}}),
        json!({"circuitBreakers": {"b": {"trip": "requests >"}}}),
        json!({"circuitBreakers": {"b": {"maxRequests": -1}}}),
    ] {
        assert!(tables(policies.clone()).is_err(), "{policies}");
    }
}

#[test]
fn built_in_policies_keep_three_tries_and_one_is_protected() {
    let few = json!({"retries": {
        "DaprBuiltInServiceRetries": {"duration": "1ms", "maxRetries": 1},
        "DaprBuiltInActorRetries": {"duration": "1ms", "maxRetries": 7},
        "DaprBuiltInActorNotFoundRetries": {"duration": "1ms", "maxRetries": 9},
    }});
    let tables = tables(few).unwrap();
    let of = |built_in| tables.built_in(built_in).unwrap();
    assert_eq!(*of(BuiltIn::ServiceRetries), Retry::constant(Duration::from_millis(1), 3));
    assert_eq!(*of(BuiltIn::ActorRetries), Retry::constant(Duration::from_millis(1), 7));
    assert_eq!(*of(BuiltIn::ActorNotFoundRetries), Retry::constant(Duration::from_secs(1), 5));
}

#[test]
fn unknown_names_and_zero_timeouts_stand_for_nothing() {
    let tables = tables(json!({"timeouts": {"zero": "0"}})).unwrap();
    assert!(tables.choose("zero", "none", "none").is_empty());
}
