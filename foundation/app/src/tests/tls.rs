//! Apps that are called with TLS, and whose certificates nobody vouches for.
use super::{get, listen, options, text};
use crate::{Error, Protocol, connect};
use axum::Router;
use axum::body::Body;
use axum::routing::any;
use foundation_drain::Drain;
use http::{HeaderMap, Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

fn acceptor() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["somewhere.else".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let mut config =
        config.unwrap().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// Serves with TLS until the drain stops; returns the port.
async fn serve(router: Router, drain: &Drain) -> u16 {
    let (listener, port) = listen().await;
    let (acceptor, connections) = (acceptor(), drain.clone());
    drain.spawn_until_stopped(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
            connections.spawn_until_stopped(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await.ok();
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn an_app_over_https_is_called_by_http1() {
    let drain = Drain::new();
    let seen = |request: Request<Body>| async move { format!("{:?} {}", request.version(), request.uri()) };
    let port = serve(Router::new().fallback(any(seen)), &drain).await;
    let channel = connect(options(port, Protocol::Https), &drain).unwrap();
    assert_eq!(text(channel.invoke(get("/m?x=1")).await.unwrap()).await, "HTTP/1.1 /m?x=1");
    assert_eq!(channel.protocol(), Protocol::Https);
}

#[tokio::test]
async fn an_app_over_grpcs_is_called_by_http2() {
    let drain = Drain::new();
    let seen = |request: Request<Body>| async move {
        assert_eq!(request.version(), Version::HTTP_2);
        let mut headers = HeaderMap::new();
        headers.insert("x-scheme", request.uri().scheme_str().unwrap().parse().unwrap());
        tonic::Status::not_found("sorry").add_header(&mut headers).unwrap();
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = headers;
        response
    };
    let port = serve(Router::new().fallback(any(seen)), &drain).await;
    let channel = connect(options(port, Protocol::Grpcs), &drain).unwrap();
    let request = Request::post("/test.Echo/Call").header("content-type", "application/grpc").body(Body::empty());
    let response = channel.grpc().forward(request.unwrap()).await.unwrap();
    assert_eq!(
        (&response.headers()["x-scheme"], &response.headers()["grpc-status"]),
        (&"https".parse().unwrap(), &"5".parse().unwrap())
    );
    assert_eq!(channel.protocol(), Protocol::Grpcs);
}

#[tokio::test]
async fn an_app_without_tls_is_not_called_with_it() {
    let drain = Drain::new();
    let plain = super::app(Router::new(), &drain).await;
    let channel = connect(options(plain.port, Protocol::Https), &drain).unwrap();
    assert!(matches!(channel.invoke(get("/")).await, Err(Error::Unreachable { .. })));
}

#[tokio::test]
async fn an_app_without_tls_is_told_with_the_flag_to_check() {
    let drain = Drain::new();
    let app = super::app(Router::new(), &drain).await;
    for protocol in [Protocol::Https, Protocol::Grpcs] {
        let channel = connect(options(app.port, protocol), &drain).unwrap();
        let status = channel.grpc().forward(get("/any.Service/Method")).await.unwrap_err();
        assert!(
            status.message().ends_with("does the app speak TLS? without it set --app-protocol http, h2c or grpc"),
            "{status}"
        );
    }
}
