//! `sentinel`: who is refused by which rule.
use crate::world::{Answer, World, refused};
use component_api::middleware::{Body, Request};
use http::StatusCode;
use std::time::Duration;
use tokio::time::advance;

async fn world(rules: &str, json: &str) -> World {
    World::new("sentinel", &[("appName", "app"), (rules, json)]).await
}

async fn statuses(world: &World, path: &str, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(world.get(path).await.status.as_u16());
    }
    statuses
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept() {
    let world = world("flowRules", r#"[{"resource":"GET:/a b","threshold":2}]"#).await;
    assert_eq!(statuses(&world, "/a%20b?x=1", 3).await, [200, 200, 429]);
    assert_eq!(statuses(&world, "/other", 3).await, [200, 200, 200]);
    let post = Request::new(Body::empty());
    let (mut head, body) = post.into_parts();
    (head.method, head.uri) = (http::Method::POST, "/a%20b".parse().unwrap());
    assert_eq!(world.send(Request::from_parts(head, body)).await.status, StatusCode::OK);
    advance(Duration::from_secs(1)).await;
    assert_eq!(statuses(&world, "/a%20b", 3).await, [200, 200, 429]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_so() {
    let world = world("flowRules", r#"[{"resource":"GET:/","threshold":0}]"#).await;
    let Answer { status, headers, body } = world.get("/").await;
    assert_eq!((status, body.as_str()), (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"));
    assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    assert!(world.arrived().is_empty());
}

#[tokio::test(start_paused = true)]
async fn requests_wait_for_their_turn() {
    let rule = r#"[{"resource":"GET:/","threshold":10,"controlBehavior":1,"maxQueueingTimeMs":100}]"#;
    let world = world("flowRules", rule).await;
    let begun = tokio::time::Instant::now();
    let answers = futures_util::future::join_all((0..3).map(|_| world.get("/"))).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(begun.elapsed().as_millis(), 100, "of the paused clock");
}

#[tokio::test(start_paused = true)]
async fn another_resource_may_be_counted() {
    let rule = r#"[{"resource":"GET:/read","threshold":1,"relationStrategy":1,"refResource":"GET:/write"}]"#;
    let world = world("flowRules", rule).await;
    assert_eq!(statuses(&world, "/read", 3).await, [200, 200, 200]);
    assert_eq!(statuses(&world, "/write", 2).await, [200, 200]);
    assert_eq!(statuses(&world, "/read", 1).await, [429]);
}

#[tokio::test(start_paused = true)]
async fn a_request_runs_until_its_response_is_over() {
    let world = world("isolationRules", r#"[{"resource":"GET:/","threshold":1}]"#).await;
    let response = world.open("/").await;
    assert_eq!(statuses(&world, "/", 1).await, [429]);
    drop(response);
    assert_eq!(statuses(&world, "/", 2).await, [200, 200]);
}

#[tokio::test(start_paused = true)]
async fn errors_open_a_circuit_breaker() {
    let rule = r#"[{"resource":"GET:/","strategy":2,"threshold":2,"retryTimeoutMs":5000,"statIntervalMs":1000}]"#;
    let world = world("circuitBreakerRules", rule).await;
    world.answer(StatusCode::BAD_GATEWAY);
    assert_eq!(statuses(&world, "/", 3).await, [502, 502, 429]);
    world.answer(StatusCode::OK);
    advance(Duration::from_secs(5)).await;
    assert_eq!(statuses(&world, "/", 2).await, [200, 200]);
}

#[tokio::test(start_paused = true)]
async fn all_requests_together_are_bounded() {
    let world = world("systemRules", r#"[{"metricType":3,"triggerCount":2}]"#).await;
    assert_eq!(statuses(&world, "/a", 1).await, [200]);
    assert_eq!(statuses(&world, "/b", 2).await, [200, 429]);
}

#[tokio::test]
async fn rules_that_cannot_be_kept_are_refused() {
    let error = refused("sentinel", &[("appName", "a"), ("flowRules", r#"[{"resource":"x","rate":1}]"#)]).await;
    assert!(error.starts_with("flowRules: rule 1: there is no field rate; a rule has id, resource, "), "{error}");
    assert!(refused("sentinel", &[]).await.contains("appName"));
}
