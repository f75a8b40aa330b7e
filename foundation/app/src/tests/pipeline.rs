//! `appHttpPipeline`: what calls of an HTTP app pass through.
use super::{app, get, options, text};
use crate::{AppOptions, Error, Protocol, connect};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use component_api::middleware::{self, Handler, Http, Next, Pipeline};
use component_api::{Instance, Live, Properties};
use foundation_drain::Drain;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::Arc;

/// Sends requests to another path, and notes in a header of the answer where they came from.
struct Detour;

#[async_trait]
impl Http for Detour {
    async fn handle(&self, mut request: middleware::Request, next: Next<'_>) -> middleware::Response {
        let asked = request.uri().to_string();
        *request.uri_mut() = "/detour".parse().unwrap();
        request.headers_mut().insert("x-added", HeaderValue::from_static("1"));
        let mut response = next.run(request).await;
        response.headers_mut().insert("x-asked", asked.parse().unwrap());
        response
    }
}

struct Refuse;

#[async_trait]
impl Http for Refuse {
    async fn handle(&self, _: middleware::Request, _: Next<'_>) -> middleware::Response {
        http::Response::builder().status(StatusCode::IM_A_TEAPOT).body("no".into()).unwrap()
    }
}

fn with(component: Arc<dyn Http>, options: AppOptions) -> AppOptions {
    let live = Live::<dyn Http>::default();
    let (name, kind, version) = ("it".to_owned(), "middleware.http.it".to_owned(), "v1".to_owned());
    let handler = Handler { name: name.clone(), kind: kind.clone(), version: version.clone() };
    live.insert(Instance { name, kind, version, properties: Properties::default(), component });
    AppOptions { pipeline: Pipeline::new(vec![handler], live), ..options }
}

async fn echo(headers: HeaderMap, request: Request) -> (StatusCode, Body) {
    assert_eq!((request.uri().path(), &headers["x-added"]), ("/detour", &HeaderValue::from_static("1")));
    (StatusCode::ACCEPTED, request.into_body())
}

#[tokio::test]
async fn calls_pass_it() {
    let drain = Drain::new();
    let options = app(Router::new().fallback(echo), &drain).await;
    let address = format!("http://127.0.0.1:{}/m?x=1", options.port);
    let channel = connect(with(Arc::new(Detour), options), &drain).unwrap();
    let request = Request::post("/m?x=1").body(Body::from("hello")).unwrap();
    let response = channel.invoke(request).await.unwrap();
    assert_eq!((response.status(), &response.headers()["x-asked"]), (StatusCode::ACCEPTED, &address.parse().unwrap()));
    assert_eq!(text(response).await, "hello");
}

#[tokio::test]
async fn it_may_keep_calls_from_the_app() {
    let drain = Drain::new();
    let channel = connect(with(Arc::new(Refuse), options(1, Protocol::Http)), &drain).unwrap();
    let response = channel.invoke(get("/m")).await.unwrap();
    assert_eq!((response.status(), text(response).await), (StatusCode::IM_A_TEAPOT, "no".to_owned()));
}

#[tokio::test]
async fn an_app_that_is_not_there_stays_an_error() {
    let drain = Drain::new();
    let channel = connect(with(Arc::new(Detour), options(1, Protocol::Http)), &drain).unwrap();
    assert!(matches!(channel.invoke(get("/m")).await, Err(Error::Unreachable { .. })));
}
