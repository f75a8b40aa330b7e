//! Both forms of the channel against apps on loopback.
mod grpc;
mod http1;
mod pipeline;
mod tls;

use crate::{AppOptions, Channel, Protocol, connect};
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use foundation_drain::Drain;
use http::{Request, Response};
use http_body_util::BodyExt;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn options(port: u16, protocol: Protocol) -> AppOptions {
    AppOptions { app_id: "me".to_owned(), port, protocol, ..AppOptions::default() }
}

/// An app with these routes, and how to reach it.
async fn app(router: Router, drain: &Drain) -> AppOptions {
    let (listener, port) = listen().await;
    drain.spawn_until_stopped(async move {
        axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
    });
    options(port, Protocol::Http)
}

async fn http_channel(router: Router, drain: &Drain) -> Arc<dyn Channel> {
    connect(app(router, drain).await, drain).unwrap()
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes: Bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}
