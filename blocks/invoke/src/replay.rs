//! A body that is passed on as it comes, and kept so that it can be sent again.
use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

/// What is known of a body that may have to be sent several times.
#[derive(Clone, Debug)]
pub(crate) struct Replay(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    body: Body,
    parts: Vec<Bytes>,
    /// Bytes that may still be kept.
    room: usize,
    spent: bool,
}

impl Replay {
    /// Keeps at most `most` bytes; a longer body can be sent once only.
    pub(crate) fn new(body: Body, most: usize) -> Self {
        Self(Arc::new(Mutex::new(Kept { body, parts: Vec::new(), room: most, spent: false })))
    }

    /// Whether more has been sent than was kept.
    pub(crate) fn is_spent(&self) -> bool {
        self.kept().spent
    }

    /// The body from its start. Only the newest may be read.
    pub(crate) fn body(&self) -> Body {
        Body::new(Replayed { replay: self.clone(), position: 0 })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The next part of the body itself.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => {
                    self.keep(&data);
                    return Poll::Ready(Some(Ok(data)));
                }
                // Requests of gRPC have no trailers.
                Some(Ok(Err(_))) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn keep(&mut self, data: &Bytes) {
        match self.room.checked_sub(data.len()) {
            Some(room) if !self.spent => {
                self.room = room;
                self.parts.push(data.clone());
            }
            _ => {
                self.spent = true;
                self.parts.clear();
            }
        }
    }
}

#[derive(Debug)]
struct Replayed {
    replay: Replay,
    position: usize,
}

impl http_body::Body for Replayed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let mut kept = this.replay.kept();
        let known = kept.parts.get(this.position).cloned();
        this.position += 1;
        let next = match known {
            Some(data) => Poll::Ready(Some(Ok(data))),
            None => kept.poll_next(cx),
        };
        if next.is_pending() {
            this.position -= 1;
        }
        next.map(|data| data.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        let kept = self.replay.kept();
        self.position >= kept.parts.len() && kept.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn chunks(chunks: &'static [&'static str]) -> Body {
        let chunks = chunks.iter().map(|chunk| Ok::<_, std::io::Error>(Bytes::from_static(chunk.as_bytes())));
        Body::from_stream(futures_util::stream::iter(chunks))
    }

    #[tokio::test]
    async fn a_body_is_sent_again_from_its_start() {
        let replay = Replay::new(chunks(&["a", "b", "c"]), 10);
        let mut first = replay.body();
        assert_eq!(first.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
        drop(first);
        for _ in 0..2 {
            assert_eq!(replay.body().collect().await.unwrap().to_bytes(), "abc");
            assert!(replay.body().frame().await.is_some() && !replay.is_spent());
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_sent_once() {
        let replay = Replay::new(chunks(&["ab", "cd"]), 3);
        assert_eq!(replay.body().collect().await.unwrap().to_bytes(), "abcd");
        assert!(replay.is_spent());
    }
}
