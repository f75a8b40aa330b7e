//! gRPC framing: one byte of flags, four of length, then the message.
use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;
use tonic::Status;

/// Length of what stands in front of each message.
const PREFIX: usize = 5;

/// Why frames could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("received a compressed message though compression was not offered")]
    Compressed,
    #[error("grpc: received message larger than max ({size} vs. {limit})")]
    TooLarge { size: usize, limit: usize },
}

/// A buffer with room for the prefix; the message is written behind it.
pub fn begin(capacity: usize) -> BytesMut {
    let mut out = BytesMut::with_capacity(PREFIX + capacity);
    out.put_bytes(0, PREFIX);
    out
}

/// Fills in the prefix of a message of which `outside` bytes are sent after the buffer.
pub fn finish(mut out: BytesMut, outside: usize) -> Bytes {
    let length = u32::try_from(out.len() - PREFIX + outside).unwrap_or(u32::MAX);
    out[1..PREFIX].copy_from_slice(&length.to_be_bytes());
    out.freeze()
}

/// A message in its frame.
pub fn framed<M: Message>(message: &M) -> Bytes {
    let mut out = begin(message.encoded_len());
    // The buffer grows as it must, and nothing else can fail.
    message.encode(&mut out).ok();
    finish(out, 0)
}

impl From<FrameError> for Status {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Compressed => Self::unimplemented(error.to_string()),
            FrameError::TooLarge { .. } => Self::resource_exhausted(error.to_string()),
        }
    }
}

/// Cuts messages out of data as it arrives. A message that came in one piece shares its memory.
#[derive(Debug)]
pub struct Frames {
    whole: Bytes,
    joined: BytesMut,
    limit: usize,
}

impl Frames {
    /// Frames whose messages have at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { whole: Bytes::new(), joined: BytesMut::new(), limit }
    }

    /// Adds data.
    pub fn push(&mut self, data: Bytes) {
        if self.whole.is_empty() && self.joined.is_empty() {
            self.whole = data;
            return;
        }
        if !self.whole.is_empty() {
            self.joined.reserve(self.whole.len() + data.len());
            self.joined.extend_from_slice(&std::mem::take(&mut self.whole));
        }
        self.joined.extend_from_slice(&data);
    }

    /// The next whole message.
    ///
    /// # Errors
    /// A frame that cannot be read; no later one can be either.
    pub fn next_message(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(length) = self.length()? else { return Ok(None) };
        if !self.joined.is_empty() {
            self.joined.advance(PREFIX);
            return Ok(Some(self.joined.split_to(length).freeze()));
        }
        self.whole.advance(PREFIX);
        Ok(Some(self.whole.split_to(length)))
    }

    /// Whether no part of a message is left.
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.joined.is_empty()
    }

    /// Length of the next message if all of it is there.
    fn length(&self) -> Result<Option<usize>, FrameError> {
        let data: &[u8] = if self.joined.is_empty() { &self.whole } else { &self.joined };
        let Some((prefix, rest)) = data.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let [flags, length @ ..] = *prefix;
        if flags != 0 {
            return Err(FrameError::Compressed);
        }
        let size = u32::from_be_bytes(length) as usize;
        if size > self.limit {
            return Err(FrameError::TooLarge { size, limit: self.limit });
        }
        Ok((rest.len() >= size).then_some(size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of_bytes(message: &[u8]) -> Bytes {
        let mut out = begin(message.len());
        out.put_slice(message);
        finish(out, 0)
    }

    proptest! {
        #[test]
        fn messages_survive_any_cut(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6), cut in 1usize..9) {
            let wire: Vec<u8> = messages.iter().flat_map(|message| of_bytes(message).to_vec()).collect();
            let mut frames = Frames::new(100);
            let mut found = Vec::new();
            for piece in wire.chunks(cut) {
                frames.push(Bytes::copy_from_slice(piece));
                while let Some(message) = frames.next_message().unwrap() {
                    found.push(message.to_vec());
                }
            }
            prop_assert_eq!(found, messages);
            prop_assert!(frames.is_empty());
        }

        #[test]
        fn garbage_never_panics(data in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut frames = Frames::new(32);
            frames.push(Bytes::from(data));
            while let Ok(Some(_)) = frames.next_message() {}
        }
    }

    #[test]
    fn a_message_above_the_limit_is_refused() {
        let mut frames = Frames::new(3);
        frames.push(of_bytes(b"1234"));
        assert_eq!(frames.next_message(), Err(FrameError::TooLarge { size: 4, limit: 3 }));
    }
}
