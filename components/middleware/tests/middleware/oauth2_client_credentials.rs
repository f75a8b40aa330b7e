//! `oauth2clientcredentials`: one token for many requests.
use crate::provider::Provider;
use crate::world::{World, refused};
use http::StatusCode;
use std::time::Duration;

async fn world(url: &str, more: &[(&str, &str)]) -> World {
    let mut metadata = vec![
        ("clientID", "me"),
        ("clientSecret", "secret"),
        ("tokenURL", url),
        ("scopes", "one,two"),
        ("headerName", "someHeader"),
    ];
    metadata.extend(more);
    World::new("oauth2clientcredentials", &metadata).await
}

#[tokio::test]
async fn a_token_is_used_until_its_end() {
    let provider = Provider::start().await;
    let world = world(&provider.token_url(), &[("endpointParamsQuery", "tenant=a+b")]).await;
    for _ in 0..3 {
        assert_eq!(world.get("/").await.status, StatusCode::OK);
        assert_eq!(world.last().headers["someheader"], "Bearer token-1");
    }
    let request = provider.token_requests().remove(0);
    for (name, value) in [("grant_type", "client_credentials"), ("scope", "one two"), ("tenant", "a b")] {
        assert_eq!(request.form[name], value, "{name}");
    }
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(95)).await;
    tokio::time::resume();
    world.get("/").await;
    assert_eq!(world.last().headers["someheader"], "Bearer token-2");
}

#[tokio::test]
async fn many_requests_at_once_need_one_token() {
    let provider = Provider::start().await;
    let world = world(&provider.token_url(), &[]).await;
    futures_util::future::join_all((0..20).map(|_| world.get("/"))).await;
    assert_eq!((provider.token_requests().len(), world.arrived().len()), (1, 20));
}

#[tokio::test]
async fn who_waits_for_a_token_shares_the_failure() {
    let provider = Provider::start().await;
    provider.take_parameters_only();
    let world = world(&provider.token_url(), &[("authStyle", "2")]).await;
    let answers = futures_util::future::join_all((0..20).map(|_| world.get("/"))).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::INTERNAL_SERVER_ERROR));
    assert_eq!(provider.token_requests().len(), 1);
    world.get("/").await;
    assert_eq!(provider.token_requests().len(), 2);
}

#[tokio::test]
async fn the_application_says_who_it_is_as_the_server_wants() {
    for (style, requests) in [("0", 2), ("1", 1)] {
        let provider = Provider::start().await;
        provider.take_parameters_only();
        let world = world(&provider.token_url(), &[("authStyle", style)]).await;
        assert_eq!(world.get("/").await.status, StatusCode::OK, "{style}");
        assert_eq!(provider.token_requests().len(), requests);
        assert_eq!(provider.token_requests().pop().unwrap().form["client_secret"], "secret");
    }
    let provider = Provider::start().await;
    provider.take_parameters_only();
    let world = world(&provider.token_url(), &[("authStyle", "2")]).await;
    assert_eq!(world.get("/").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(world.arrived().is_empty());
}

#[tokio::test]
async fn a_token_may_come_as_a_form_with_any_status_of_success() {
    let provider = Provider::start().await;
    provider.answer(StatusCode::CREATED, "text/plain", "access_token=t&expires_in=60");
    let world = world(&provider.token_url(), &[]).await;
    assert_eq!(world.get("/").await.status, StatusCode::OK);
    assert_eq!(world.last().headers["someheader"], "Bearer t");
}

#[tokio::test]
async fn a_filter_chooses_paths() {
    let provider = Provider::start().await;
    let world = world(&provider.token_url(), &[("pathFilter", "/api/.*")]).await;
    world.get("/other").await;
    assert!(!world.last().headers.contains_key("someheader"));
    world.get("/api/one").await;
    assert!(world.last().headers.contains_key("someheader"));
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error() {
    let world = world("http://127.0.0.1:1/token", &[]).await;
    assert_eq!(world.get("/").await.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn all_that_is_missing_is_told() {
    let refusal = refused("oauth2clientcredentials", &[("headerName", "h"), ("authStyle", "3")]).await;
    for text in ["'clientID'", "'clientSecret'", "'scopes'", "'tokenURL'", "'authStyle'"] {
        assert!(refusal.contains(text), "{refusal}");
    }
    assert!(!refusal.contains("'headerName'"));
}
