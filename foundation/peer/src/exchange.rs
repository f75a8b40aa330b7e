//! One request and its answer on an HTTP/2 connection, without a task unless the request outlives the answer's head.
use crate::Error;
use crate::connection::Connection;
use crate::error::status_of;
use crate::pieces::{Pieces, poll_data};
use axum::body::Body;
use bytes::Bytes;
use foundation_drain::Drain;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http_body::{Body as _, Frame};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::oneshot;
use tonic::Status;

/// What is sent as the request's body.
#[derive(Debug)]
pub(crate) enum Source {
    /// Bytes as they come.
    Raw(Body),
    /// A head and a body as messages of a stream.
    Pieces(Box<Pieces>),
}

impl Source {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        match self {
            Self::Raw(body) => poll_data(body, cx),
            Self::Pieces(pieces) => pieces.poll_next(cx),
        }
    }

    fn is_end(&self) -> bool {
        match self {
            Self::Raw(body) => body.is_end_stream(),
            Self::Pieces(pieces) => pieces.is_end(),
        }
    }
}

/// Sends a request and waits for the head of its answer. Dropping the answer's body ends the exchange.
pub(crate) async fn exchange(
    connection: Connection,
    request: http::Request<()>,
    source: Source,
    drain: &Drain,
) -> Result<http::Response<Received>, Error> {
    let Connection { mut requests, running } = connection;
    let (response, stream) = requests.send_request(request, false)?;
    let mut upload = Some(Upload { stream, source, waiting: Bytes::new() });
    let mut response = pin!(response);
    let (head, stream) = poll_fn(|cx| poll_both(&mut upload, response.as_mut(), cx)).await?.into_parts();
    let upload = upload.map(|upload| upload.go_on(drain));
    Ok(http::Response::from_parts(head, Received { stream, _upload: upload, _running: running, ended: false }))
}

/// Drives the upload and the answer together. An upload that the peer cuts off is over: its answer tells why.
fn poll_both(
    upload: &mut Option<Upload>,
    response: Pin<&mut ResponseFuture>,
    cx: &mut Context<'_>,
) -> Poll<Result<http::Response<RecvStream>, Error>> {
    if let Some(Poll::Ready(done)) = upload.as_mut().map(|upload| upload.poll(cx)) {
        *upload = None;
        done.map_err(Error::Body)?;
    }
    response.poll(cx).map_err(Error::from)
}

/// Sends a body as fast as the peer takes it.
#[derive(Debug)]
struct Upload {
    stream: SendStream<Bytes>,
    source: Source,
    waiting: Bytes,
}

impl Upload {
    /// Fails only when the body itself breaks.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        loop {
            if !self.waiting.is_empty() && ready!(self.poll_send(cx)).is_none() {
                return Poll::Ready(Ok(()));
            }
            match ready!(self.source.poll_next(cx)) {
                Some(Ok(data)) => self.waiting = data,
                Some(Err(error)) => return Poll::Ready(Err(self.give_up(&error))),
                None => return Poll::Ready(self.send(Bytes::new(), true).map_or(Ok(()), Ok)),
            }
            if self.source.is_end() && self.fits() {
                let last = std::mem::take(&mut self.waiting);
                return Poll::Ready(self.send(last, true).map_or(Ok(()), Ok));
            }
        }
    }

    /// Small bodies are handed over whole; the connection holds them until there is room.
    fn fits(&self) -> bool {
        self.waiting.len() <= 16 << 10
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        while !self.waiting.is_empty() {
            self.stream.reserve_capacity(self.waiting.len());
            let room = match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(room)) => room.min(self.waiting.len()),
                Some(Err(_)) | None => return Poll::Ready(None),
            };
            let part = self.waiting.split_to(room);
            if self.send(part, false).is_none() {
                return Poll::Ready(None);
            }
        }
        Poll::Ready(Some(()))
    }

    fn send(&mut self, data: Bytes, end: bool) -> Option<()> {
        self.stream.send_data(data, end).ok()
    }

    fn give_up(&mut self, error: &axum::Error) -> String {
        self.stream.send_reset(Reason::CANCEL);
        error.to_string()
    }

    /// Goes on in the background until it is done, or the answer is not wanted any more.
    fn go_on(mut self, drain: &Drain) -> oneshot::Sender<()> {
        let (wanted, dropped) = oneshot::channel();
        drain.spawn_until_stopped(async move {
            tokio::select! {
                _ = poll_fn(|cx| self.poll(cx)) => {}
                _ = dropped => {}
            }
        });
        wanted
    }
}

/// The body of an answer; reading it makes room for more.
#[derive(Debug)]
pub(crate) struct Received {
    stream: RecvStream,
    _upload: Option<oneshot::Sender<()>>,
    _running: Arc<()>,
    ended: bool,
}

impl Received {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match ready!(self.stream.poll_data(cx)) {
            Some(Ok(data)) => {
                self.stream.flow_control().release_capacity(data.len()).ok();
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => {
                let trailers = ready!(self.stream.poll_trailers(cx));
                self.ended = true;
                Poll::Ready(trailers.transpose().map(|trailers| trailers.map(Frame::trailers)))
            }
        }
    }
}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.get_mut().poll_next(cx).map_err(|error| status_of(&error))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.stream.is_end_stream()
    }
}
