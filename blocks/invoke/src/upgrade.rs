//! WebSocket connections of clients, passed on to the app beyond what Dapr does: the bytes of the client are the body of
//! the call, and those of the app the body of its answer, so that they travel between sidecars as any other body.
use crate::answer::{Wanted, respond};
use crate::error::Error;
use crate::service::Service;
use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use foundation_app::answer_to_http;
use foundation_app::tunnel::{read_piece, say};
use foundation_drain::Drain;
use foundation_peer::{Answer, Head, Outcome, Payload};
use futures_util::stream;
use http::header::{CONNECTION, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use tokio::io::{AsyncRead, split};
use tokio::sync::mpsc;

/// Tells the sidecar of the app that the call wants to become a WebSocket; `Upgrade` itself is for one connection only.
const MARK: &str = "trilby-upgrade";
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
/// Pieces of the client that wait for the app.
const QUEUE: usize = 4;

/// The client's connection, when the request asks for a WebSocket.
pub(crate) fn asked(parts: &mut Parts) -> Option<OnUpgrade> {
    parts.headers.remove(MARK);
    let asked = parts.method == Method::GET
        && names(&parts.headers, &CONNECTION, "upgrade")
        && names(&parts.headers, &UPGRADE, "websocket");
    parts.extensions.remove::<OnUpgrade>().filter(|_| asked)
}

/// Whether a call wants to become a WebSocket.
pub(crate) fn is_marked(headers: &HeaderMap) -> bool {
    headers.contains_key(MARK)
}

/// The same; the mark is gone afterwards.
pub(crate) fn take_mark(headers: &mut HeaderMap) -> bool {
    headers.remove(MARK).is_some()
}

/// Whether the app agreed to it.
pub(crate) fn is_agreed(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Http(StatusCode::SWITCHING_PROTOCOLS))
}

/// Makes a call that wants to become a WebSocket. The conversation lasts until one side ends it, or the drain stops.
pub(crate) async fn call(
    service: &Service,
    target: &str,
    mut head: Head,
    client: OnUpgrade,
    drain: &Drain,
) -> Result<Response, Error> {
    head.headers.insert(MARK, WEBSOCKET);
    let (sender, said) = channel();
    let answer = service.invoke(target, head, Payload::Stream(said)).await?;
    if !is_agreed(&answer.outcome) {
        return Ok(respond(answer, Wanted::default()).await);
    }
    let Answer { mut headers, body, .. } = answer;
    drain.spawn_until_stopped(converse(client, sender, body));
    answer_to_http(&mut headers);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Passes on both ways; when the app has ended, so has the conversation.
async fn converse(client: OnUpgrade, sender: mpsc::Sender<Bytes>, of_app: Body) {
    let Ok(upgraded) = client.await else { return };
    let (read, write) = split(TokioIo::new(upgraded));
    let of_client = async {
        forward(read, sender).await;
        std::future::pending().await
    };
    tokio::select! {
        () = say(of_app, write) => {}
        () = of_client => {}
    }
}

async fn forward(mut read: impl AsyncRead + Unpin, sender: mpsc::Sender<Bytes>) {
    let mut buffer = BytesMut::new();
    while let Ok(Some(piece)) = read_piece(&mut read, &mut buffer).await {
        if sender.send(piece).await.is_err() {
            return;
        }
    }
}

fn channel() -> (mpsc::Sender<Bytes>, Body) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let pieces = stream::unfold(receiver, |mut receiver: mpsc::Receiver<Bytes>| async move {
        Some((Ok::<_, Infallible>(receiver.recv().await?), receiver))
    });
    (sender, Body::from_stream(pieces))
}

fn names(headers: &HeaderMap, header: &http::HeaderName, word: &str) -> bool {
    let texts = headers.get_all(header).into_iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
}
