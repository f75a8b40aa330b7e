//! HTTP/2 connections: many calls at a time each, and as many connections as the calls need.
use super::Broken;
use super::dialer::{Dialer, TIMEOUT};
use crate::filled::Filled;
use crate::turn::Turn;
use axum::body::Body;
use bytes::Bytes;
use foundation_drain::Drain;
use foundation_http2::{Connection, Connections, Received, Settings};
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response};
use http_body::{Body as _, Frame};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The connections to one app.
#[derive(Debug)]
pub(crate) struct Pool {
    dialer: Dialer,
    connections: Connections<Arc<Broken>>,
    drain: Drain,
}

impl Pool {
    pub(crate) fn new(dialer: Dialer, drain: Drain) -> Self {
        Self { dialer, connections: Connections::default(), drain }
    }

    /// Sends a request whose URI names scheme and authority.
    pub(crate) async fn send(&self, request: Request<Body>, turn: Turn) -> Result<Response<Body>, Broken> {
        let answered = self.exchange(request, turn).await?;
        Ok(answered.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(body) }))
    }

    /// The same, with the body as it comes.
    pub(crate) async fn exchange(&self, mut request: Request<Body>, turn: Turn) -> Result<Response<Held>, Broken> {
        let connection =
            self.connections.get(|| async { self.connect().await.map_err(Arc::new) }).await.map_err(Broken::Shared)?;
        name_length(&mut request);
        let answered = connection.call(request, &self.drain).await.map_err(|error| self.broken(error))?;
        Ok(answered.map(|body| Held { body: Filled(body), turn: Some(turn) }))
    }

    async fn connect(&self) -> Result<Connection, Broken> {
        let options = self.dialer.options();
        let largest_headers = u32::try_from(options.read_buffer_size).unwrap_or(u32::MAX).max(16 << 10);
        let settings =
            Settings { peer: "the app", largest_frame: 16 << 10, largest_headers, deadline: TIMEOUT, keepalive: None };
        let begun = Connection::begin(self.dialer.dial().await?, &settings, &self.drain).await;
        begun.map_err(|error| self.broken(error.into()))
    }

    fn broken(&self, error: foundation_http2::Error) -> Broken {
        Broken::Http2 { address: self.dialer.options().authority(), error }
    }
}

/// HTTP/1.1 needs the length of a body, and apps that were written for it may ask for it here, too.
fn name_length(request: &mut Request<Body>) {
    let has_body = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    let length = request.body().size_hint().exact().filter(|length| *length > 0 || has_body);
    if let Some(length) = length {
        request.headers_mut().entry(CONTENT_LENGTH).or_insert_with(|| length.into());
    }
}

/// The body of an answer, which is the app's turn until it is read.
pub(crate) struct Held {
    body: Filled<Received>,
    turn: Option<Turn>,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if self.body.is_end_stream() || !matches!(frame, Some(Ok(_))) {
            self.turn = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
