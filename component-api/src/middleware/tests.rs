//! Pipelines of middlewares that note what passes.
use super::*;
use crate::{Instance, Live, Properties};
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::convert::Infallible;
use std::sync::Arc;

/// Writes its letter into a header on the way in and another on the way out.
struct Mark(&'static str);

#[async_trait]
impl Http for Mark {
    async fn handle(&self, mut request: Request, next: Next<'_>) -> Response {
        mark(request.headers_mut(), self.0);
        let mut response = next.run(request).await;
        mark(response.headers_mut(), self.0);
        response
    }
}

struct Refuse;

#[async_trait]
impl Http for Refuse {
    async fn handle(&self, _: Request, _: Next<'_>) -> Response {
        http::Response::builder().status(StatusCode::FORBIDDEN).body(Body::empty()).unwrap()
    }
}

fn mark(headers: &mut http::HeaderMap, letter: &str) {
    let so_far = headers.get("mark").map_or("", |value| value.to_str().unwrap());
    headers.insert("mark", format!("{so_far}{letter}").parse().unwrap());
}

fn pipeline(names: &[&str]) -> (Pipeline, Live<dyn Http>) {
    let live = Live::<dyn Http>::default();
    add(&live, "a", Arc::new(Mark("a")));
    add(&live, "b", Arc::new(Mark("b")));
    add(&live, "refuse", Arc::new(Refuse));
    let handler =
        |name: &&str| Handler { name: (*name).to_owned(), kind: "middleware.http.x".to_owned(), ..Handler::default() };
    (Pipeline::new(names.iter().map(handler).collect(), live.clone()), live)
}

fn add(live: &Live<dyn Http>, name: &str, component: Arc<dyn Http>) {
    let (name, kind, version) = (name.to_owned(), "middleware.http.x".to_owned(), "v1".to_owned());
    live.insert(Instance { name, kind, version, properties: Properties::default(), component });
}

/// Answers with the marks that the request came with.
async fn end(request: Request) -> Result<Response, Infallible> {
    let marks = request.headers().get("mark").map_or("", |value| value.to_str().unwrap()).to_owned();
    Ok(Response::new(Body::from(marks)))
}

async fn marks(pipeline: &Pipeline) -> (String, String) {
    let response = pipeline.run(Request::default(), end).await.unwrap();
    let out = response.headers().get("mark").map_or("", |value| value.to_str().unwrap()).to_owned();
    let inward = response.into_body().read(100).await.unwrap();
    (String::from_utf8(inward.to_vec()).unwrap(), out)
}

#[tokio::test]
async fn the_first_is_outermost() {
    let (pipeline, _) = pipeline(&["a", "b"]);
    assert_eq!(marks(&pipeline).await, ("ab".to_owned(), "ba".to_owned()));
}

#[tokio::test]
async fn what_is_missing_is_skipped_until_it_comes() {
    let (pipeline, live) = pipeline(&["late", "a"]);
    assert_eq!(pipeline.missing().map(|handler| handler.name.as_str()).collect::<Vec<_>>(), ["late"]);
    assert_eq!(marks(&pipeline).await.0, "a");
    add(&live, "late", Arc::new(Mark("l")));
    assert_eq!(marks(&pipeline).await.0, "la");
    live.remove("a");
    assert_eq!(marks(&pipeline).await.0, "l");
}

#[tokio::test]
async fn type_and_version_must_fit() {
    let (_, live) = pipeline(&[]);
    let handler = |kind: &str, version: &str| Handler { name: "a".into(), kind: kind.into(), version: version.into() };
    for (kind, version, fits) in [
        ("middleware.http.x", "", true),
        ("middleware.http.x", "v1", true),
        ("middleware.http.x", "v2", false),
        ("other", "", false),
    ] {
        let pipeline = Pipeline::new(vec![handler(kind, version)], live.clone());
        assert_eq!(pipeline.missing().count() == 0, fits, "{kind}/{version}");
    }
}

#[tokio::test]
async fn a_step_may_answer_itself() {
    let (pipeline, _) = pipeline(&["a", "refuse", "b"]);
    let response = pipeline.run(Request::default(), end).await.unwrap();
    assert_eq!((response.status(), &response.headers()["mark"]), (StatusCode::FORBIDDEN, &"a".parse().unwrap()));
}

#[tokio::test]
async fn the_failure_of_the_end_comes_out() {
    let (pipeline, _) = pipeline(&["a"]);
    let failed = pipeline.run(Request::default(), async |_| Err::<Response, _>("not there")).await;
    assert_eq!(failed.unwrap_err(), "not there");
}

#[tokio::test]
async fn bodies_pass_piece_by_piece() {
    let (pipeline, _) = pipeline(&["a", "b"]);
    let pieces = stream::iter(["one", "two"].map(|text| Ok::<_, Infallible>(Frame::data(Bytes::from(text)))));
    let request = Request::new(Body::new(StreamBody::new(pieces)));
    let echo = async |request: Request| Ok::<_, Infallible>(Response::new(request.into_body()));
    let mut body = pipeline.run(request, echo).await.unwrap().into_body();
    let mut received = Vec::new();
    while let Some(frame) = body.frame().await {
        received.push(frame.unwrap().into_data().unwrap());
    }
    assert_eq!(received, ["one", "two"]);
}

#[tokio::test]
async fn a_read_has_a_limit() {
    assert_eq!(Body::from("four").read(4).await.unwrap(), "four");
    assert!(Body::from("four!").read(4).await.is_err());
}
