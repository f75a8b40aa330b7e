//! A body cut into the messages of a stream, and put together again.
use crate::call::Payload;
use crate::envelope::{Piece, put_payload_start};
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use foundation_grpc::{Frames, begin, finish, of_headers};
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use std::mem::take;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::Status;

/// Largest payload of one message. Go's sidecars send 2 KiB and take what their gRPC limit (4 MiB) allows.
const LARGEST: usize = 64 << 10;
/// Payloads up to here are copied behind their prefix, so that one DATA frame carries both.
const COPIED: usize = 4 << 10;

/// Turns a body into framed messages; the head goes with the first payload if that is there already.
#[derive(Debug)]
pub(crate) struct Pieces {
    body: Body,
    head: Option<BytesMut>,
    /// Of the last chunk, what did not fit into a message.
    rest: Bytes,
    /// Payload whose prefix was given out before it.
    payload: Bytes,
    sequence: u64,
}

impl Pieces {
    /// `head` is a buffer of [`begin`] with the head's field.
    pub(crate) fn new(head: BytesMut, payload: Payload) -> Self {
        Self { body: payload.into_body(), head: Some(head), rest: Bytes::new(), payload: Bytes::new(), sequence: 0 }
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        if !self.payload.is_empty() {
            return Poll::Ready(Some(Ok(take(&mut self.payload))));
        }
        if !self.rest.is_empty() {
            let rest = take(&mut self.rest);
            return Poll::Ready(Some(Ok(self.message(rest))));
        }
        // The body may know its end before it is asked for it, and then the end goes with the last data.
        if self.is_end() {
            return Poll::Ready(None);
        }
        match poll_data(&mut self.body, cx) {
            Poll::Ready(Some(Ok(data))) => Poll::Ready(Some(Ok(self.message(data)))),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
            Poll::Ready(None) => Poll::Ready(self.head.take().map(|head| Ok(finish(head, 0)))),
            Poll::Pending => match self.head.take() {
                Some(head) => Poll::Ready(Some(Ok(finish(head, 0)))),
                None => Poll::Pending,
            },
        }
    }

    /// Whether nothing follows, as far as is known.
    fn is_end(&self) -> bool {
        self.head.is_none() && self.payload.is_empty() && self.rest.is_empty() && self.body.is_end_stream()
    }

    fn message(&mut self, mut data: Bytes) -> Bytes {
        if data.len() > LARGEST {
            self.rest = data.split_off(LARGEST);
        }
        let mut out = self.head.take().unwrap_or_else(|| begin(data.len().min(COPIED) + 16));
        put_payload_start(&mut out, self.sequence, data.len());
        self.sequence += 1;
        if data.len() <= COPIED {
            out.extend_from_slice(&data);
            return finish(out, 0);
        }
        let outside = data.len();
        self.payload = data;
        finish(out, outside)
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.get_mut().poll_next(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.is_end()
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

/// Which side reads; the texts of errors differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Reads a request, which ends without a status.
    Server,
    /// Reads an answer, which ends with one.
    Client,
}

/// Reads framed messages from a body: first the head, then the payloads as a body of their own.
#[derive(Debug)]
pub(crate) struct Joined<B> {
    body: B,
    frames: Frames,
    first: Bytes,
    expected: u64,
    side: Side,
    ended: bool,
    /// The end was seen before it was asked for. It is not told early: of a body that is known to have ended a server knows
    /// the length, and answers from other sidecars are chunked (recorded from Dapr).
    ahead: bool,
    /// Why the stream broke, until what came before is read.
    broken: Option<Status>,
}

impl<B> Joined<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Status>,
{
    /// Reads up to the first message. None when the stream ends well before it.
    pub(crate) async fn open(body: B, limit: usize, side: Side) -> Result<(Option<Piece>, Self), Status> {
        let (frames, first) = (Frames::new(limit), Bytes::new());
        let mut joined = Self { body, frames, first, expected: 0, side, ended: false, ahead: false, broken: None };
        let mut piece = std::future::poll_fn(|cx| joined.poll_piece(cx)).await?;
        if let Some((data, sequence)) = piece.as_mut().and_then(|piece| piece.payload.take()) {
            joined.check(sequence)?;
            joined.first = data;
        }
        Ok((piece, joined))
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, Status>> {
        loop {
            if let Some(message) = self.frames.next_message()? {
                let piece = Piece::decode(message).map_err(|error| Status::internal(error.to_string()))?;
                return Poll::Ready(Ok(Some(piece)));
            }
            if let Some(status) = self.broken.take() {
                return Poll::Ready(Err(status));
            }
            if self.ended {
                return Poll::Ready(self.end());
            }
            ready!(self.poll_more(cx))?;
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => self.take(frame),
            Some(Err(error)) => Err(error.into()),
            None => self.close(),
        })
    }

    /// Looks whether the end came with the last data, so that whoever reads need not come again for it.
    fn look_ahead(&mut self, cx: &mut Context<'_>) {
        if self.ended || self.broken.is_some() || !self.frames.is_empty() {
            return;
        }
        if let Poll::Ready(Err(status)) = self.poll_more(cx) {
            self.broken = Some(status);
        }
        self.ahead = self.ended;
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Result<(), Status> {
        match frame.into_data() {
            Ok(data) => self.frames.push(data),
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    self.finish(&trailers)?;
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, trailers: &HeaderMap) -> Result<(), Status> {
        self.ended = true;
        match of_headers(trailers) {
            Some(status) if status.code() != tonic::Code::Ok => Err(status),
            _ => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), Status> {
        self.ended = true;
        match self.side {
            Side::Server => Ok(()),
            Side::Client => Err(Status::internal("server closed the stream without sending trailers")),
        }
    }

    fn end(&self) -> Result<Option<Piece>, Status> {
        if self.frames.is_empty() { Ok(None) } else { Err(Status::internal("unexpected EOF")) }
    }

    fn check(&mut self, sequence: u64) -> Result<(), Status> {
        if sequence != self.expected {
            let expected = self.expected;
            return Err(Status::unknown(format!(
                "invalid sequence number received: {sequence} (expected: {expected})"
            )));
        }
        self.expected += 1;
        Ok(())
    }

    fn second_head(&self) -> Status {
        let kind = if self.side == Side::Server { "request" } else { "response" };
        Status::unknown(format!("{kind} metadata found in non-leading chunk"))
    }

    fn poll_payload(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Status>> {
        if !self.first.is_empty() {
            return Poll::Ready(Ok(Some(take(&mut self.first))));
        }
        loop {
            let Some(piece) = ready!(self.poll_piece(cx))? else { return Poll::Ready(Ok(None)) };
            if piece.head.is_some_and(|head| !head.is_empty()) {
                return Poll::Ready(Err(self.second_head()));
            }
            let Some((data, sequence)) = piece.payload else { continue };
            self.check(sequence)?;
            if !data.is_empty() {
                return Poll::Ready(Ok(Some(data)));
            }
        }
    }
}

impl<B> http_body::Body for Joined<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Status>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let joined = self.get_mut();
        let payload = ready!(joined.poll_payload(cx));
        match payload {
            Ok(Some(_)) => joined.look_ahead(cx),
            _ => joined.ahead = false,
        }
        Poll::Ready(payload.transpose().map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended && !self.ahead && self.broken.is_none() && self.first.is_empty() && self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
