//! `bearer`: good tokens, all others, discovery and new keys.
use crate::provider::{Key, Provider};
use crate::world::{Answer, World, refused};
use component_api::middleware::Body;
use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// Far enough for all tests to come.
const LATER: u64 = 4_100_000_000;

async fn send(world: &World, authorization: &str) -> Answer {
    let request = http::Request::get("/m").header("authorization", authorization);
    world.send(request.body(Body::empty()).unwrap()).await
}

async fn status(world: &World, token: &str) -> StatusCode {
    send(world, &format!("Bearer {token}")).await.status
}

fn claims(issuer: &str) -> Value {
    json!({ "iss": issuer, "aud": "app", "exp": LATER })
}

/// A provider with one key, and a middleware that found it by discovery.
async fn world() -> (Provider, Key, World) {
    let (provider, key) = (Provider::start().await, Key::new("one"));
    provider.publish(&[&key]);
    let world = World::new("bearer", &[("issuerURL", &provider.url), ("clientID", "app")]).await;
    (provider, key, world)
}

#[tokio::test]
async fn good_tokens_pass_and_reach_the_app() {
    let (provider, key, world) = world().await;
    let token = key.sign(&claims(&provider.url));
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
        assert_eq!(send(&world, &format!("{scheme} {token}")).await.status, StatusCode::OK, "{scheme}");
        assert_eq!(world.last().headers["authorization"], format!("{scheme} {token}"));
    }
}

#[tokio::test]
async fn all_others_are_refused() {
    let (provider, key, world) = world().await;
    let with = |name: &str, value: Value| {
        let mut claims = claims(&provider.url);
        claims[name] = value;
        key.sign(&claims)
    };
    for (token, why) in [
        (with("exp", json!(1_000_000_000)), "expired"),
        (with("nbf", json!(LATER)), "early"),
        (with("aud", json!("other")), "audience"),
        (with("iss", json!("https://elsewhere")), "issuer"),
        (Key::new("one").sign(&claims(&provider.url)), "signature"),
        ("short".to_owned(), "no token"),
        ("a.b.c.d.e.f.g.h".to_owned(), "form"),
    ] {
        assert_eq!(status(&world, &token).await, StatusCode::UNAUTHORIZED, "{why}");
    }
    let answer = world.get("/m").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::UNAUTHORIZED, "Unauthorized"));
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(send(&world, "Basic abcdefghijklmn").await.status, StatusCode::UNAUTHORIZED);
    assert!(world.arrived().is_empty());
}

#[tokio::test]
async fn keys_are_where_the_metadata_says() {
    let (provider, key) = (Provider::start().await, Key::new("one"));
    provider.publish(&[&key]);
    let url = provider.keys_url();
    let world = World::new("bearer", &[("issuer", "me"), ("audience", "app"), ("jwksURL", &url)]).await;
    assert_eq!(status(&world, &key.sign(&claims("me"))).await, StatusCode::OK);
}

/// Lets time pass without waiting for it.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_new_key_is_fetched_when_it_is_used() {
    let (provider, old, world) = world().await;
    let new = Key::new("two");
    provider.publish(&[&new]);
    pass(10).await;
    assert_eq!(status(&world, &new.sign(&claims(&provider.url))).await, StatusCode::OK);
    assert_eq!(status(&world, &old.sign(&claims(&provider.url))).await, StatusCode::UNAUTHORIZED);
    assert_eq!(provider.fetches(), 2);
}

#[tokio::test]
async fn old_keys_serve_until_new_ones_are_there() {
    let (provider, old, world) = world().await;
    provider.publish(&[]);
    pass(3600).await;
    let token = old.sign(&claims(&provider.url));
    assert_eq!(status(&world, &token).await, StatusCode::OK);
    while provider.fetches() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(status(&world, &token).await, StatusCode::OK);
}

#[tokio::test]
async fn unknown_keys_are_not_asked_for_at_once() {
    let (provider, _, world) = world().await;
    let other = Key::new("two");
    provider.publish(&[&other]);
    for _ in 0..20 {
        assert_eq!(status(&world, &other.sign(&claims(&provider.url))).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(provider.fetches(), 1);
}

#[tokio::test]
async fn an_issuer_that_is_silent_is_asked_once_for_all_who_wait() {
    let (provider, _, world) = world().await;
    let token = Key::new("two").sign(&claims(&provider.url));
    provider.fall_silent();
    pass(10).await;
    let begun = Instant::now();
    let waiting = join_all((0..4).map(|_| status(&world, &token)));
    let silence = async {
        while provider.fetches() < 2 {
            tokio::task::yield_now().await;
        }
        tokio::time::pause();
    };
    let (statuses, ()) = tokio::join!(waiting, silence);
    assert_eq!(statuses, [StatusCode::UNAUTHORIZED; 4]);
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert_eq!(status(&world, &token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(provider.fetches(), 2);
}

#[tokio::test]
async fn what_is_missing_is_told() {
    assert_eq!(refused("bearer", &[("audience", "a")]).await, "metadata property 'issuer' is required");
    assert_eq!(refused("bearer", &[("issuer", "i")]).await, "metadata property 'audience' is required");
    let provider = Provider::start().await;
    let no_keys = refused("bearer", &[("issuer", &provider.url), ("audience", "app")]).await;
    assert_eq!(no_keys, format!("failed to fetch JWKS: {}/keys answered with status 404", provider.url));
    let other_name = provider.url.replace("127.0.0.1", "localhost");
    let refusal = refused("bearer", &[("issuer", &other_name), ("audience", "app")]).await;
    assert!(refusal.contains("doesn't match the one provided"), "{refusal}");
    let nowhere = refused("bearer", &[("issuer", "http://127.0.0.1:1"), ("audience", "app")]).await;
    assert!(nowhere.starts_with("failed to retrieve OpenID Configuration document"), "{nowhere}");
}
