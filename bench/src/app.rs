//! The app behind the sidecar: answers every request with 1 KiB.
use bytes::Bytes;
use foundation_drain::Drain;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use tokio::net::TcpListener;

/// Bytes of a request's and of an answer's body.
pub(crate) const SIZE: usize = 1024;

/// Starts an app on a free port of loopback; it runs until the drain stops.
pub(crate) async fn start(drain: &Drain) -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let connections = drain.child();
    drain.spawn_until_stopped(async move {
        while let Ok((socket, _)) = listener.accept().await {
            socket.set_nodelay(true).ok();
            connections.spawn_until_stopped(async move {
                let served = hyper::server::conn::http1::Builder::new();
                served.serve_connection(TokioIo::new(socket), service_fn(answer)).await.ok();
            });
        }
    });
    Ok(port)
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    request.into_body().collect().await.ok();
    let body = match path.as_str() {
        "/dapr/config" => Bytes::from_static(b"{}"),
        "/dapr/subscribe" => Bytes::from_static(b"[]"),
        _ => Bytes::from_static(&[b'x'; SIZE]),
    };
    Ok(Response::new(Full::new(body)))
}
