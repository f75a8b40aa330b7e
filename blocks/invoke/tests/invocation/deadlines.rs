//! Callers that wait for so long only: who is called for them is told.
use crate::proxying::grpc_request;
use crate::world::{message, serve, sidecar};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::any;
use block_invoke::{Service, invoke_service, proxy};
use foundation_app::Protocol;
use foundation_grpc::{Deadline, of_headers};
use std::sync::Arc;
use std::time::Duration;
use tonic::Status;
use wire::common::v1::http_extension::Verb;

const TIME: Duration = Duration::from_secs(50);

/// Refuses every call with the time that it was given.
fn telling() -> Router {
    Router::new().fallback(any(|request: Request| async move {
        let told = request.headers().get("grpc-timeout").map_or("nothing", |value| value.to_str().unwrap());
        Status::aborted(format!("[{told}]")).into_http::<Body>()
    }))
}

/// `golden` with an app, and a peer that is the sidecar of `other`.
async fn told() -> Arc<Service> {
    sidecar("golden", serve(telling()).await, Some((serve(telling()).await, Protocol::Grpc)))
}

fn check(told: &str) {
    let time = told.split(['[', ']']).nth(1).unwrap().strip_suffix('u').unwrap();
    assert!((1..=50_000_000).contains(&time.parse::<u64>().unwrap()), "{told}");
}

#[tokio::test]
async fn invoke_service_hands_on_what_is_left() {
    let service = told().await;
    for app_id in ["golden", "other"] {
        let mut request = message("m", Verb::Post, "hello");
        app_id.clone_into(&mut request.get_mut().id);
        request.extensions_mut().insert(Deadline::within(TIME).unwrap());
        check(invoke_service(&service, request).await.unwrap_err().message());
    }
    let without = invoke_service(&service, message("m", Verb::Post, "hello")).await.unwrap_err();
    assert!(without.message().contains("[nothing]"), "{without}");
}

#[tokio::test]
async fn so_do_calls_that_are_passed_on() {
    let service = told().await;
    for app_id in ["golden", "other"] {
        let mut request = grpc_request("/test.Echo/Call", app_id, Body::empty());
        request.extensions_mut().insert(Deadline::within(TIME).unwrap());
        check(of_headers(proxy(&service, request).await.headers()).unwrap().message());
    }
}
