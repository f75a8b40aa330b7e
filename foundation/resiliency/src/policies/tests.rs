//! Which policy a call gets.
use super::*;
use crate::{Error, Failure};
use foundation_telemetry::MetricsSettings;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug)]
struct Bad;

impl Failure for Bad {}

fn policies(spec: Value) -> Policies {
    let resource = json!({"metadata": {"name": "r"}, "spec": spec});
    Policies::load([&serde_json::from_value(resource).unwrap()], &Metrics::disabled())
}

fn app(policies: &Policies, app: &str) -> Policy {
    policies.app(app, format_args!("{app}:m"))
}

fn timeout(policy: &Policy) -> Option<u64> {
    policy.timeout.map(|timeout| timeout.as_secs())
}

/// Makes a call that fails; tells whether it was made at all.
async fn fail(policy: Policy) -> bool {
    matches!(policy.run(|| async { Err::<(), _>(Bad) }).await, Err(Error::Failed(_)))
}

#[test]
fn without_resources_there_are_only_built_in_policies() {
    let none = Policies::default();
    assert!(app(&none, "a").retry.is_none() && !none.lists_app("a"));
    assert!(none.component("c", ComponentKind::Lock, Direction::Inbound).timeout.is_none());
    assert!(none.built_in(BuiltIn::InitializationRetries).retries());
}

#[test]
fn targets_that_are_not_listed_have_the_most_special_default() {
    let all = policies(json!({"policies": {
        "timeouts": {
            "DefaultTimeoutPolicy": "1s", "DefaultAppTimeoutPolicy": "2s", "DefaultComponentTimeoutPolicy": "3s",
            "DefaultComponentOutboundTimeoutPolicy": "4s", "DefaultStatestoreComponentOutboundTimeoutPolicy": "5s",
        }},
        "targets": {"apps": {"listed": {}}, "components": {"listed": {"outbound": {"timeout": "DefaultTimeoutPolicy"}}}},
    }));
    assert_eq!((timeout(&app(&all, "other")), timeout(&app(&all, "listed"))), (Some(2), None));
    assert_eq!((timeout(&all.actor_before_turn("t", "1")), timeout(&all.actor_in_turn("t"))), (None, Some(1)));
    let component = |name, kind, direction| timeout(&all.component(name, kind, direction));
    assert_eq!(component("c", ComponentKind::StateStore, Direction::Outbound), Some(5));
    assert_eq!(component("c", ComponentKind::Pubsub, Direction::Outbound), Some(4));
    assert_eq!(component("c", ComponentKind::Pubsub, Direction::Inbound), Some(3));
    assert_eq!(component("listed", ComponentKind::Pubsub, Direction::Outbound), Some(1));
    assert_eq!(component("listed", ComponentKind::Pubsub, Direction::Inbound), None);
}

#[tokio::test(start_paused = true)]
async fn each_endpoint_of_an_app_has_its_own_breaker() {
    for (targets, name) in
        [(json!({"apps": {"a": {"circuitBreaker": "cb"}}}), "cb"), (json!({}), "DefaultAppCircuitBreakerPolicy")]
    {
        let breakers = json!({name: {"trip": "consecutiveFailures >= 1"}});
        let all = policies(json!({"policies": {"circuitBreakers": breakers}, "targets": targets}));
        assert!(fail(all.app("a", format_args!("a:one"))).await);
        assert!(!fail(all.app("a", format_args!("a:one"))).await);
        assert!(fail(all.app("a", format_args!("a:two"))).await);
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_last_used_breakers_are_kept() {
    let all = policies(json!({
        "policies": {"circuitBreakers": {"cb": {"trip": "consecutiveFailures >= 1"}}},
        "targets": {"apps": {"a": {"circuitBreaker": "cb", "circuitBreakerCacheSize": 1}}},
    }));
    assert!(fail(all.app("a", format_args!("a:one"))).await);
    assert!(!fail(all.app("a", format_args!("a:one"))).await);
    assert!(fail(all.app("a", format_args!("a:two"))).await);
    assert!(fail(all.app("a", format_args!("a:one"))).await);
}

#[tokio::test(start_paused = true)]
async fn breakers_of_actors_have_a_scope() {
    let all = |scope: &str| {
        policies(json!({
            "policies": {"circuitBreakers": {"cb": {"trip": "consecutiveFailures >= 1"}}},
            "targets": {"actors": {"t": {"circuitBreaker": "cb", "circuitBreakerScope": scope}}},
        }))
    };
    for (scope, other_is_called) in [("type", false), ("id", true), ("both", true)] {
        let all = all(scope);
        assert!(fail(all.actor_before_turn("t", "1")).await);
        assert_eq!(fail(all.actor_before_turn("t", "2")).await, other_is_called, "{scope}");
    }
    assert!(!all("").lists_actor("t") && !all("world").lists_actor("t"));
}

#[tokio::test(start_paused = true)]
async fn a_component_has_one_breaker_for_both_directions() {
    let names = json!({"circuitBreaker": "cb"});
    let all = policies(json!({
        "policies": {"circuitBreakers": {"cb": {"trip": "consecutiveFailures >= 1"}}},
        "targets": {"components": {"c": {"inbound": names, "outbound": names}}},
    }));
    assert!(fail(all.component("c", ComponentKind::Pubsub, Direction::Outbound)).await);
    assert!(!fail(all.component("c", ComponentKind::Pubsub, Direction::Inbound)).await);
}

#[test]
fn an_invalid_resource_is_left_out_as_a_whole() {
    let resource =
        |name: &str, spec| serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap();
    let bad = json!({"policies": {"timeouts": {"t": "9s"}, "circuitBreakers": {"x": {"trip": "("}}}, "targets": {"apps": {"a": {"timeout": "t"}}}});
    let good = json!({"policies": {"timeouts": {"t": "1s"}}, "targets": {"apps": {"b": {"timeout": "t"}}}});
    let all = Policies::load([&resource("bad", bad), &resource("good", good)], &Metrics::disabled());
    assert_eq!((timeout(&app(&all, "a")), timeout(&app(&all, "b"))), (None, Some(1)));
    assert_eq!(app(&all, "b").timeout, Some(Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn calls_and_what_policies_do_are_counted() {
    let metrics = Metrics::new(&MetricsSettings::new("me", "")).unwrap();
    let spec = json!({
        "policies": {
            "timeouts": {"t": "1s"}, "retries": {"r": {"duration": "1ms", "maxRetries": 2}},
            "circuitBreakers": {"cb": {"trip": "consecutiveFailures >= 2"}},
        },
        "targets": {"apps": {"a": {"timeout": "t", "retry": "r", "circuitBreaker": "cb"}}},
    });
    let resource = serde_json::from_value(json!({"metadata": {"name": "r"}, "spec": spec})).unwrap();
    let all = Policies::load([&resource], &metrics);
    assert!(!fail(app(&all, "a")).await);
    app(&all, "a").run(std::future::pending::<Result<(), Bad>>).await.unwrap_err();
    let text = metrics.render();
    for (series, labels, value) in [
        ("loaded", "name=\"r\"", 1),
        ("count", "policy=\"timeout\"", 2),
        ("count", "policy=\"retry\"", 2),
        ("count", "policy=\"circuitbreaker\",status=\"closed\"", 1),
        ("count", "policy=\"circuitbreaker\",status=\"open\"", 1),
        ("activations_total", "policy=\"retry\"", 1),
        ("activations_total", "policy=\"circuitbreaker\",status=\"open\"", 1),
        ("cb_state", "policy=\"circuitbreaker\",status=\"open\"", 1),
        ("cb_state", "policy=\"circuitbreaker\",status=\"closed\"", 0),
    ] {
        let start = format!("dapr_resiliency_{series}{{");
        let found = text.lines().find(|line| line.starts_with(&start) && line.contains(labels));
        assert!(found.is_some_and(|line| line.ends_with(&format!(" {value}"))), "{series} {labels}: {found:?}");
    }
}
