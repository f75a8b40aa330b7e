//! `opa`: policies decide.
use crate::world::{World, make};
use component_api::middleware::Body;
use http::{Request, StatusCode};

const POLICY: &str = r#"package http
default allow = {"allow": false, "status_code": 301, "additional_headers": {"location": "https://there"}}
allow = true { input.request.path_parts[1] == "open"; input.request.query.a == ["1", "2"] }
allow = {"allow": true, "additional_headers": {"x-user": user}} {
    [_, token] := split(input.request.headers.Authorization, " ")
    [_, payload, _] := io.jwt.decode(token)
    user := payload.sub
}
allow = true { input.request.body == "please" }
"#;
/// `{"alg":"none"}` and `{"sub":"ann"}`.
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.";

async fn opa(more: &[(&str, &str)]) -> World {
    let metadata: Vec<_> = [("rego", POLICY)].into_iter().chain(more.iter().copied()).collect();
    World::new("opa", &metadata).await
}

#[tokio::test]
async fn paths_and_queries_are_shown() {
    let world = opa(&[]).await;
    assert_eq!(world.get("http://localhost/v1.0/open/x?a=1&a=2").await.status, StatusCode::OK);
    let refused = world.get("http://localhost/v1.0/closed").await;
    assert_eq!(
        (refused.status, &refused.headers["location"]),
        (StatusCode::MOVED_PERMANENTLY, &"https://there".parse().unwrap())
    );
    assert_eq!(world.arrived().len(), 1);
}

#[tokio::test]
async fn headers_are_shown_when_they_are_named() {
    let request = || Request::get("/").header("authorization", format!("Bearer {TOKEN}")).body(Body::empty()).unwrap();
    let world = opa(&[("includedHeaders", "x-other, authorization")]).await;
    assert_eq!(world.send(request()).await.status, StatusCode::OK);
    assert_eq!(world.last().headers["x-user"], "ann");
    assert_eq!(opa(&[]).await.send(request()).await.status, StatusCode::MOVED_PERMANENTLY);
}

#[tokio::test]
async fn the_body_is_shown_and_passed_on() {
    let request = || Request::post("/").body(Body::from("please")).unwrap();
    let world = opa(&[("readBody", "true")]).await;
    assert_eq!(world.send(request()).await.body, "please");
    assert_eq!(opa(&[]).await.send(request()).await.status, StatusCode::MOVED_PERMANENTLY);
}

#[tokio::test]
async fn a_policy_that_does_not_decide_refuses() {
    for policy in
        ["package http\nallow = 5", "package http\nallow = true { false }", "package http\nallow = {\"allow\": 1}"]
    {
        let refused = World::new("opa", &[("rego", policy), ("defaultStatus", "418")]).await.get("/").await;
        assert_eq!(
            (refused.status.as_u16(), &refused.headers["x-dapr-opa-error"]),
            (418, &"true".parse().unwrap()),
            "{policy}"
        );
    }
}

#[tokio::test]
async fn an_endless_policy_is_ended() {
    let policy = "package http\nallow { x := numbers.range(1, 4000); y := x[_]; z := x[_]; y + z < 0 }";
    let refused = World::new("opa", &[("rego", policy)]).await.get("/").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn wrong_metadata_is_refused() {
    for metadata in [
        &[][..],
        &[("rego", "nonsense")],
        &[("rego", POLICY), ("defaultStatus", "1000")],
        &[("rego", POLICY), ("defaultStatus", "x")],
    ] {
        assert!(make("opa", metadata).await.is_err(), "{metadata:?}");
    }
}
