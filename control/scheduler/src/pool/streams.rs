//! Streams of sidecars: who takes what, and what each has not answered yet.
use super::gates::Key;
use super::{ByRecipient, Outbox, Outcome, Parcel, Recipient, Reply, StreamId, Trigger};
use crate::agenda::Room;
use prost::Message;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Bytes of triggers that wait for one recipient on its streams; a larger one waits alone.
pub(super) const MOST_BYTES: u32 = 16 << 20;

/// One stream.
pub(super) struct Stream {
    outbox: Outbox,
    pub(super) targets: Vec<Recipient>,
    pub(super) inflight: HashMap<u64, Flight>,
    /// Of the last trigger; they are numbered from 1.
    last: u64,
}

/// A trigger that has been sent.
pub(super) struct Flight {
    pub(super) reply: Reply,
    pub(super) gates: Vec<Key>,
}

/// Streams that take the same triggers, in turns.
pub(super) struct Turns {
    streams: Vec<StreamId>,
    next: usize,
    /// What is left of [`MOST_BYTES`].
    bytes: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { streams: Vec::new(), next: 0, bytes: Arc::new(Semaphore::new(MOST_BYTES as usize)) }
    }
}

#[derive(Default)]
pub(super) struct Streams {
    streams: HashMap<StreamId, Stream>,
    by_recipient: ByRecipient,
    next: StreamId,
}

impl Stream {
    pub(super) fn new(outbox: Outbox) -> Self {
        Self { outbox, targets: Vec::new(), inflight: HashMap::new(), last: 0 }
    }

    /// Gives the trigger back when the stream has too much to do, or is gone.
    fn send(&mut self, stream: StreamId, trigger: Trigger, gates: &[Key]) -> Option<Trigger> {
        let Ok(place) = self.outbox.try_reserve() else { return Some(trigger) };
        let Trigger { mut message, reply, recall, weight, .. } = trigger;
        self.last += 1;
        message.id = self.last;
        place.send(Ok(Parcel { stream, message, recall, _weight: weight }));
        self.inflight.insert(self.last, Flight { reply, gates: gates.to_vec() });
        None
    }
}

impl Streams {
    pub(super) fn add(&mut self, stream: Stream) -> StreamId {
        let id = self.next;
        self.next += 1;
        for target in &stream.targets {
            self.by_recipient.entry(target.clone()).or_default().streams.push(id);
        }
        self.streams.insert(id, stream);
        id
    }

    pub(super) fn remove(&mut self, id: StreamId) -> Option<Stream> {
        let gone = self.streams.remove(&id)?;
        for target in &gone.targets {
            let Some(turns) = self.by_recipient.get_mut(target) else { continue };
            turns.streams.retain(|other| *other != id);
            if turns.streams.is_empty() {
                self.by_recipient.remove(target);
            }
        }
        Some(gone)
    }

    pub(super) fn has(&self, recipient: &Recipient) -> bool {
        self.by_recipient.contains_key(recipient)
    }

    /// How much more the streams of a recipient can take.
    pub(super) fn room(&self, recipient: &Recipient) -> Option<Room> {
        let Turns { streams, bytes, .. } = self.by_recipient.get(recipient)?;
        let streams = streams.iter().filter_map(|id| self.streams.get(id));
        let jobs = streams.map(|stream| stream.outbox.capacity()).sum();
        // One that is larger than all there may be gets in when nothing else is there.
        let bytes = bytes.available_permits();
        Some(Room { jobs, bytes: if bytes == MOST_BYTES as usize { usize::MAX } else { bytes } })
    }

    /// Gives a trigger its part of what may be on the way to its recipient.
    ///
    /// # Errors
    /// What becomes of it when there is no room or nobody.
    pub(super) fn weigh(&self, trigger: &mut Trigger) -> Result<(), Outcome> {
        let turns = self.by_recipient.get(&*trigger.recipient).ok_or(Outcome::Undeliverable)?;
        let bytes = u32::try_from(trigger.message.encoded_len()).unwrap_or(u32::MAX).min(MOST_BYTES);
        let weight = Arc::clone(&turns.bytes).try_acquire_many_owned(bytes).map_err(|_| Outcome::Busy)?;
        trigger.weight = Some(weight);
        Ok(())
    }

    pub(super) fn take(&mut self, stream: StreamId, id: u64) -> Option<Flight> {
        self.streams.get_mut(&stream)?.inflight.remove(&id)
    }

    /// Sends a trigger on the next stream in turn that has room; gives it back when none has.
    pub(super) fn send(&mut self, trigger: Trigger, gates: &[Key]) -> Option<Trigger> {
        let Some(turns) = self.by_recipient.get_mut(&*trigger.recipient) else { return Some(trigger) };
        let mut unsent = trigger;
        for _ in 0..turns.streams.len() {
            let id = turns.streams[turns.next % turns.streams.len()];
            turns.next = turns.next.wrapping_add(1);
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            unsent = stream.send(id, unsent, gates)?;
        }
        Some(unsent)
    }
}
