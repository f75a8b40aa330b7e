//! `routerchecker`: what the rule matches, and what it does not.
use crate::world::{World, refused};
use http::StatusCode;

#[tokio::test]
async fn paths_must_match() {
    let world = World::new("routerchecker", &[("rule", "^[A-Za-z0-9/._-]+$")]).await;
    for (path, status) in [
        ("/v1.0/invoke/qcg.default/method", StatusCode::OK),
        ("/v1.0/invoke/qcg.default/*/method", StatusCode::BAD_REQUEST),
        ("/v1.0/state?x=1", StatusCode::BAD_REQUEST),
    ] {
        let answer = world.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        let text = if status.is_success() { "" } else { "invalid router" };
        assert_eq!(answer.body, text);
    }
    assert_eq!(world.arrived().len(), 1);
}

#[tokio::test]
async fn no_rule_matches_all() {
    assert_eq!(World::new("routerchecker", &[]).await.get("/x").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_broken_rule_is_told() {
    assert!(refused("routerchecker", &[("rule", "(")]).await.starts_with("rule is no regular expression"));
}
