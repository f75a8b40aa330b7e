//! Sidecars in one process, apps behind them, and calls.
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use block_invoke::{Service, endpoints, internal_routes, invoke};
use component_api::naming::{Registration, Resolver, Target};
use component_api::{Error, Kind};
use foundation_app::{AppOptions, Protocol, connect};
use foundation_drain::Drain;
use foundation_peer::{Own, Peers};
use foundation_resiliency::{Policies, Resiliency};
use foundation_telemetry::Metrics;
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::net::TcpListener;
use tower::ServiceExt;
use wire::common::v1::{HttpExtension, InvokeRequest, http_extension::Verb};
use wire::runtime::v1::InvokeServiceRequest;

pub(crate) const LIMIT: usize = 4 << 20;

/// Knows one app, whatever its namespace.
pub(crate) struct One(pub(crate) String);

#[async_trait::async_trait]
impl Resolver for One {
    async fn register(&self, _: Registration) -> component_api::Result<()> {
        Ok(())
    }

    async fn resolve(&self, target: &Target) -> component_api::Result<Vec<String>> {
        match target.app_id.as_str() {
            "other" => Ok(vec![self.0.clone()]),
            _ => Err(Error::new(Kind::NotFound, "no host found with the given ID")),
        }
    }
}

pub(crate) async fn serve(router: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    Drain::new().spawn(async move { axum::serve(listener, router).await.unwrap() });
    port
}

pub(crate) fn sidecar(app_id: &str, peer: u16, app: Option<(u16, Protocol)>) -> Arc<Service> {
    Arc::new(bare_sidecar(app_id, peer, app))
}

/// The same, which passes WebSocket connections on.
pub(crate) fn sidecar_with_upgrades(app_id: &str, peer: u16, app: Option<(u16, Protocol)>) -> Arc<Service> {
    Arc::new(bare_sidecar(app_id, peer, app).with_upgrades(&Drain::new()))
}

fn bare_sidecar(app_id: &str, peer: u16, app: Option<(u16, Protocol)>) -> Service {
    let own = Own {
        app_id: app_id.to_owned(),
        namespace: "default".to_owned(),
        address: "127.0.0.1".to_owned(),
        host_name: "box".to_owned(),
        internal_port: 0,
    };
    let drain = Drain::new();
    let peers = Peers::new(Arc::new(One(format!("127.0.0.1:{peer}"))), own, LIMIT, &drain);
    let app = app.map(|(port, protocol)| {
        let token = Some("app-token".to_owned());
        let options = AppOptions { app_id: app_id.to_owned(), port, protocol, token, ..AppOptions::default() };
        connect(options, &drain).unwrap()
    });
    Service::new(Arc::new(peers), app, LIMIT)
}

/// The sidecar `golden` in front of this app at the port, with a Resiliency resource.
pub(crate) fn with_policies(app: Option<(u16, Protocol)>, peer: u16, spec: Value) -> Arc<Service> {
    let resource = serde_json::from_value(json!({"metadata": {"name": "r"}, "spec": spec})).unwrap();
    let resiliency = Resiliency::new(Policies::load([&resource], &Metrics::disabled()));
    Arc::new(bare_sidecar("golden", peer, app).with_resiliency(resiliency))
}

/// The sidecar `golden` without an app, and `other` with this one.
pub(crate) async fn two(app: Router, protocol: Protocol) -> Arc<Service> {
    let other = sidecar("other", 0, Some((serve(app).await, protocol)));
    sidecar("golden", serve(internal_routes(other)).await, None)
}

pub(crate) fn http_app() -> Router {
    Router::new()
        .route(
            "/status/{code}",
            any(|code: axum::extract::Path<u16>| async move { StatusCode::from_u16(code.0).unwrap() }),
        )
        .route("/redirect", any(|| async { (StatusCode::FOUND, [("location", "/elsewhere")]) }))
        .fallback(describe)
}

/// Answers with what the request was.
pub(crate) async fn describe(request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let headers: Value =
        parts.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap())).collect();
    axum::Json(json!({
        "method": parts.method.as_str(), "path": parts.uri.to_string(), "headers": headers, "length": body.len(),
        "body": String::from_utf8_lossy(&body[..body.len().min(99)]),
    }))
}

pub(crate) async fn send(service: &Arc<Service>, request: http::Request<Body>) -> Response {
    let router = endpoints(Arc::clone(service)).into_router(|_| true);
    let router = router.fallback(any(invoke).with_state::<()>(Arc::clone(service)));
    router.oneshot(request).await.unwrap()
}

pub(crate) async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

pub(crate) async fn get(service: &Arc<Service>, path: &str) -> Response {
    send(service, http::Request::get(path).body(Body::empty()).unwrap()).await
}

pub(crate) fn message(method: &str, verb: Verb, data: &'static str) -> tonic::Request<InvokeServiceRequest> {
    let data = prost_types::Any { type_url: String::new(), value: data.into() };
    let http_extension = Some(HttpExtension { verb: verb.into(), querystring: "a=1".to_owned() });
    let message = InvokeRequest {
        method: method.to_owned(),
        data: Some(data),
        content_type: "text/plain".to_owned(),
        http_extension,
    };
    tonic::Request::new(InvokeServiceRequest { id: "other".to_owned(), message: Some(message) })
}
