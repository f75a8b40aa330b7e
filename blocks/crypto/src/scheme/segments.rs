//! Segments: pieces of any size come in, segments of 64 KiB go out, and the last one is known as such.
use super::{FileKey, Pieces, Problem, SEGMENT, TAG};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream;

/// The encrypted segments of a plaintext.
pub(crate) fn encrypted(plaintext: Pieces, key: FileKey) -> Pieces {
    let state = State::new(plaintext, BytesMut::new(), SEGMENT, key, FileKey::seal);
    stream::try_unfold(state, State::next).boxed()
}

/// The plaintext of encrypted segments, of which the first bytes are there already.
pub(crate) fn decrypted(ciphertext: Pieces, first: BytesMut, key: FileKey) -> Pieces {
    let state = State::new(ciphertext, first, SEGMENT + TAG, key, FileKey::open);
    stream::try_unfold(state, State::next).boxed()
}

type Process = fn(&FileKey, &mut Vec<u8>, u32, bool) -> Result<(), Problem>;

struct State {
    input: Pieces,
    buffer: BytesMut,
    /// Bytes of a segment that comes in.
    size: usize,
    key: FileKey,
    process: Process,
    /// Of the next segment; none after the last one.
    number: Option<u32>,
}

impl State {
    fn new(input: Pieces, buffer: BytesMut, size: usize, key: FileKey, process: Process) -> Self {
        Self { input, buffer, size, key, process, number: Some(0) }
    }

    async fn next(mut self) -> Result<Option<(Bytes, Self)>, String> {
        let Some(number) = self.number else { return Ok(None) };
        let last = self.fill().await?;
        let mut segment = self.buffer.split_to(self.size.min(self.buffer.len())).to_vec();
        // Only an empty document has an empty segment, which is left out.
        if segment.is_empty() {
            return Ok(None);
        }
        let processed = (self.process)(&self.key, &mut segment, number, last);
        processed.map_err(|problem| format!("error processing segment {number}: {problem}"))?;
        self.number = if last { None } else { Some(number.checked_add(1).ok_or("input stream is too large")?) };
        Ok(Some((segment.into(), self)))
    }

    /// Reads a segment and a byte more, which is not there only when the segment is the last one.
    async fn fill(&mut self) -> Result<bool, String> {
        while self.buffer.len() <= self.size {
            let Some(piece) = self.input.next().await else { return Ok(true) };
            self.buffer.extend_from_slice(&piece?);
        }
        Ok(false)
    }
}
