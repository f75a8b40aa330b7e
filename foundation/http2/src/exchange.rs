//! One request and its answer.
use crate::connection::Connection;
use axum::body::Body;
use bytes::Bytes;
use foundation_drain::Drain;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use http_body::{Body as _, Frame};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::oneshot;

/// Data up to here may go out with its request; the connection holds it until there is room.
const SMALL: usize = 16 << 10;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection or the call's stream broke.
    #[error(transparent)]
    Broken(#[from] h2::Error),
    /// The body of the request broke while it was sent.
    #[error("the body of the request: {0}")]
    Body(String),
}

impl Connection {
    /// Sends a request and waits for the head of its answer; trailers of the request are left out. Dropping the answer's body
    /// ends the call.
    ///
    /// # Errors
    /// [`Error`]; what the peer answers is none.
    pub async fn call(self, request: Request<Body>, drain: &Drain) -> Result<Response<Received>, Error> {
        let Self { mut requests, calls } = self;
        let (head, body) = request.into_parts();
        let is_empty = body.is_end_stream();
        let (response, stream) = requests.send_request(Request::from_parts(head, ()), is_empty)?;
        let mut upload = (!is_empty).then(|| Upload::new(stream, body));
        let mut response = pin!(response);
        let (head, stream) = poll_fn(|cx| poll_both(&mut upload, response.as_mut(), cx)).await?.into_parts();
        let upload = upload.map(|upload| upload.go_on(drain));
        Ok(Response::from_parts(head, Received { stream, _upload: upload, _calls: calls, ended: false }))
    }
}

/// Drives the upload and the answer together. An upload that the peer cuts off is over: its answer tells why.
fn poll_both(
    upload: &mut Option<Upload>,
    response: Pin<&mut ResponseFuture>,
    cx: &mut Context<'_>,
) -> Poll<Result<Response<RecvStream>, Error>> {
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
    body: Body,
    waiting: Bytes,
    /// What comes after that which waits, when the body had it at once.
    next: Bytes,
    begun: bool,
}

impl Upload {
    fn new(stream: SendStream<Bytes>, body: Body) -> Self {
        Self { stream, body, waiting: Bytes::new(), next: Bytes::new(), begun: false }
    }

    /// Fails only when the body itself breaks.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        loop {
            if !self.waiting.is_empty() && ready!(self.poll_send(cx)).is_none() {
                return Poll::Ready(Ok(()));
            }
            match ready!(self.poll_next(cx)) {
                Some(Ok(data)) => self.waiting = data,
                Some(Err(error)) => return Poll::Ready(Err(self.give_up(&error))),
                None => return Poll::Ready(self.send(Bytes::new(), true).map_or(Ok(()), Ok)),
            }
            match self.is_last(cx) {
                Ok(false) => {}
                Ok(true) => {
                    let last = std::mem::take(&mut self.waiting);
                    return Poll::Ready(self.send(last, true).map_or(Ok(()), Ok));
                }
                Err(error) => return Poll::Ready(Err(self.give_up(&error))),
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        if self.next.is_empty() {
            poll_data(&mut self.body, cx)
        } else {
            Poll::Ready(Some(Ok(std::mem::take(&mut self.next))))
        }
    }

    /// Whether what waits is small and the end of the body, which then goes with it.
    fn is_last(&mut self, cx: &mut Context<'_>) -> Result<bool, axum::Error> {
        if self.waiting.len() > SMALL || !self.next.is_empty() {
            return Ok(false);
        }
        match poll_data(&mut self.body, cx) {
            Poll::Ready(Some(data)) => self.next = data?,
            Poll::Ready(None) => return Ok(true),
            Poll::Pending => {}
        }
        Ok(false)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        // There is room only after the request is sent: small data goes out with it, or the peer would be woken twice.
        if !std::mem::replace(&mut self.begun, true) && self.waiting.len() <= SMALL {
            let first = std::mem::take(&mut self.waiting);
            return Poll::Ready(self.send(first, false));
        }
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

/// The next data of a body that is not empty; trailers are passed over.
fn poll_data(body: &mut Body, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
    loop {
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if !data.is_empty() => return Poll::Ready(Some(Ok(data))),
                _ => {}
            },
        }
    }
}

/// The body of an answer; reading it makes room for more.
#[derive(Debug)]
pub struct Received {
    stream: RecvStream,
    _upload: Option<oneshot::Sender<()>>,
    _calls: Arc<()>,
    ended: bool,
}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
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

    fn is_end_stream(&self) -> bool {
        self.ended || self.stream.is_end_stream()
    }
}
