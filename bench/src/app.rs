//! The app behind the sidecar, over HTTP: takes what comes, and answers with 1 KiB, or with much.
use crate::deliveries::Deliveries;
use bytes::Bytes;
use foundation_drain::Drain;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use tokio::net::{TcpListener, TcpStream};

/// Bytes of a request's and of an answer's body.
pub(crate) const SIZE: usize = 1024;
/// Bytes of a large body, and of a piece of it.
pub(crate) const LARGE: usize = 100 << 20;
pub(crate) const PIECE: usize = 64 << 10;
/// Path of a large answer.
pub(crate) const LARGE_PATH: &str = "/large";
const EVENTS_PATH: &str = "/events";

/// A body of the app or the client.
pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// Starts an app on a free port of loopback; it runs until the drain stops. Events go to `deliveries`, if there are to be any.
pub(crate) async fn start(deliveries: Option<Deliveries>, drain: &Drain) -> anyhow::Result<u16> {
    serve(drain, move |socket| {
        let deliveries = deliveries.clone();
        let answer = service_fn(move |request| answer(request, deliveries.clone()));
        async move {
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await.ok();
        }
    })
    .await
}

/// Serves connections of a free port of loopback until the drain stops.
pub(crate) async fn serve<F>(drain: &Drain, serve: impl Fn(TcpStream) -> F + Send + 'static) -> anyhow::Result<u16>
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let connections = drain.child();
    drain.spawn_until_stopped(async move {
        while let Ok((socket, _)) = listener.accept().await {
            socket.set_nodelay(true).ok();
            connections.spawn_until_stopped(serve(socket));
        }
    });
    Ok(port)
}

async fn answer(request: Request<Incoming>, deliveries: Option<Deliveries>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    let answer = match (path.as_str(), deliveries) {
        ("/dapr/config", _) => whole("{}"),
        ("/dapr/subscribe", None) => whole("[]"),
        ("/dapr/subscribe", Some(_)) => whole(subscriptions()),
        (EVENTS_PATH, Some(deliveries)) => {
            deliveries.came(&body.collect().await.map(|body| body.to_bytes()).unwrap_or_default());
            whole("{}")
        }
        (LARGE_PATH, _) => large(),
        _ => {
            // Not kept, so that the app takes no memory for it.
            while body.frame().await.is_some() {}
            whole(vec![b'x'; SIZE])
        }
    };
    Ok(Response::new(answer))
}

/// A body that is there as a whole.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed()
}

/// A large body that is made while it is sent.
pub(crate) fn large() -> Body {
    let piece = Bytes::from(vec![b'x'; PIECE]);
    let pieces = (0..LARGE / PIECE).map(move |_| Ok(Frame::data(piece.clone())));
    BodyExt::boxed(StreamBody::new(stream::iter(pieces)))
}

fn subscriptions() -> String {
    serde_json::json!([{"pubsubname": "broker", "topic": "topic", "route": EVENTS_PATH}]).to_string()
}
