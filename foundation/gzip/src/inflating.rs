//! A body that is decompressed while it is read.
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http_body::{Body, Frame};
use std::error::Error;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Compressed bytes that are inflated at once: they may become a thousand times as many.
const STEP: usize = 1024;

type Failure = Box<dyn Error + Send + Sync>;

/// What a compressed body says.
#[derive(Debug)]
pub struct Inflating<B> {
    body: B,
    /// Compressed bytes that came and were not inflated yet.
    waiting: Bytes,
    /// A body without a byte is none: Go takes it for an empty one.
    begun: bool,
    /// None at the end.
    decoder: Option<Box<MultiGzDecoder<Vec<u8>>>>,
}

impl<B> Inflating<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { body, waiting: Bytes::new(), begun: false, decoder: Some(Box::new(MultiGzDecoder::new(Vec::new()))) }
    }

    fn push(&mut self) -> io::Result<Bytes> {
        let Some(decoder) = self.decoder.as_mut() else { return Ok(Bytes::new()) };
        self.begun = true;
        decoder.write_all(&self.waiting.split_to(self.waiting.len().min(STEP)))?;
        decoder.flush()?;
        Ok(std::mem::take(decoder.get_mut()).into())
    }

    fn finish(&mut self) -> io::Result<Bytes> {
        let rest = self.decoder.take().filter(|_| self.begun).map(|decoder| decoder.finish()).transpose()?;
        Ok(rest.unwrap_or_default().into())
    }
}

impl<B> Body for Inflating<B>
where
    B: Body<Data = Bytes, Error: Into<Failure>> + Unpin,
{
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        while self.decoder.is_some() {
            let plain = if !self.waiting.is_empty() {
                self.push()
            } else if let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                self.waiting = frame.map_err(Into::into)?.into_data().unwrap_or_default();
                continue;
            } else {
                self.finish()
            };
            match plain {
                Ok(plain) if plain.is_empty() => {}
                Ok(plain) => return Poll::Ready(Some(Ok(Frame::data(plain)))),
                Err(error) => {
                    self.decoder = None;
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.decoder.is_none()
    }
}
