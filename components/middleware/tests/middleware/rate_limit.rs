//! `ratelimit`: who is limited by what, and what clients are told.
use crate::world::{Answer, World, refused};
use component_api::middleware::{Body, ClientAddress};
use http::StatusCode;

/// So slow that no test sees another request let in.
const ONE: &[(&str, &str)] = &[("maxRequestsPerSecond", "0.001")];

async fn send(world: &World, path: &str, client: &str) -> Answer {
    let mut request = http::Request::get(path).body(Body::empty()).unwrap();
    request.extensions_mut().insert(ClientAddress(client.parse().unwrap()));
    world.send(request).await
}

#[tokio::test]
async fn a_client_is_limited_on_each_path() {
    let world = World::new("ratelimit", ONE).await;
    assert_eq!(send(&world, "/a?x=1", "1.1.1.1:1").await.status, StatusCode::OK);
    assert_eq!(send(&world, "/a?x=2", "1.1.1.1:2").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(send(&world, "/%61", "1.1.1.1:1").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(send(&world, "/b", "1.1.1.1:1").await.status, StatusCode::OK);
    assert_eq!(send(&world, "/a", "2.2.2.2:1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_limit_is_told() {
    let world = World::new("ratelimit", &[("maxRequestsPerSecond", "2.5")]).await;
    let answer = send(&world, "/a", "127.0.0.1:99").await;
    for (name, value) in [
        ("x-rate-limit-limit", "2.50"),
        ("x-rate-limit-duration", "1"),
        ("x-rate-limit-request-remote-addr", "127.0.0.1:99"),
        ("ratelimit-limit", "3"),
        ("ratelimit-reset", "1"),
        ("ratelimit-remaining", "1"),
    ] {
        assert_eq!(answer.headers[name], value, "{name}");
    }
    assert!(!answer.headers.contains_key("x-rate-limit-request-forwarded-for"));
}

#[tokio::test]
async fn too_many_requests_are_refused() {
    let world = World::new("ratelimit", ONE).await;
    world.get("/").await;
    let answer = world.get("/").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.body, "You have reached maximum request limit.");
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.headers["ratelimit-remaining"], "0");
    assert_eq!(answer.headers["x-rate-limit-request-forwarded-for"], "0.0.0.0");
    assert_eq!(world.arrived().len(), 1);
}

#[tokio::test]
async fn a_hundred_may_come_at_once_by_default() {
    let world = World::new("ratelimit", &[]).await;
    assert_eq!(send(&world, "/", "1.1.1.1:1").await.headers["ratelimit-remaining"], "99");
}

#[tokio::test]
async fn no_limit_is_none() {
    for max in ["0", "-1"] {
        let error = refused("ratelimit", &[("maxRequestsPerSecond", max)]).await;
        assert_eq!(error, "metadata property maxRequestsPerSecond must be a positive value");
    }
    assert!(refused("ratelimit", &[("maxRequestsPerSecond", "many")]).await.ends_with("must be a number"));
}
