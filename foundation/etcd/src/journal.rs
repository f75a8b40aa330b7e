//! Events in the order of their revisions, packed into large pieces of memory.
//!
//! One by one they would lie between what lives for a moment only, and keep the pages of that from going back to the system.
use bytes::Bytes;
use prost::Message;
use std::collections::VecDeque;
use wire::etcd::mvccpb::Event;

/// Bytes of a piece that is full, and room for the last event of one.
const CHUNK: usize = 128 << 10;
const MORE: usize = 8 << 10;
/// Events that a piece has room for from the start.
const EVENTS: usize = 256;

/// What has happened.
#[derive(Default)]
pub(crate) struct Journal {
    chunks: VecDeque<Chunk>,
    bytes: u64,
}

struct Chunk {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// How many of the first ones are gone.
    gone: usize,
}

/// Where an event ends; it begins at the end of the one before.
#[derive(Clone, Copy)]
struct Entry {
    revision: i64,
    /// The end of its key, and of all of it.
    key_end: usize,
    end: usize,
}

/// An event as it lies there.
pub(crate) struct Packed<'j> {
    pub(crate) revision: i64,
    pub(crate) key: &'j [u8],
    rest: &'j [u8],
}

impl Journal {
    /// How much there is, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The revision of the first event.
    pub(crate) fn oldest(&self) -> Option<i64> {
        self.chunks.front().and_then(Chunk::oldest)
    }

    pub(crate) fn push(&mut self, event: Event) {
        let is_full = self.chunks.back().is_none_or(|chunk| chunk.bytes.len() >= CHUNK);
        if is_full {
            self.chunks.push_back(Chunk::new());
        }
        if let Some(chunk) = self.chunks.back_mut() {
            self.bytes += chunk.push(event);
        }
    }

    /// Drops what is of before a revision.
    pub(crate) fn forget_before(&mut self, revision: i64) {
        while let Some(chunk) = self.chunks.front_mut() {
            self.bytes -= chunk.forget_before(revision);
            if chunk.oldest().is_some() {
                return;
            }
            self.chunks.pop_front();
        }
    }

    /// What is of a revision or a later one.
    pub(crate) fn since(&self, revision: i64) -> impl Iterator<Item = Packed<'_>> {
        let first = self.chunks.partition_point(|chunk| chunk.newest() < revision);
        self.chunks.range(first..).flat_map(move |chunk| chunk.since(revision))
    }
}

impl Chunk {
    fn new() -> Self {
        Self { bytes: Vec::with_capacity(CHUNK + MORE), entries: Vec::with_capacity(EVENTS), gone: 0 }
    }

    fn oldest(&self) -> Option<i64> {
        self.entries.get(self.gone).map(|entry| entry.revision)
    }

    fn newest(&self) -> i64 {
        self.entries.last().map_or(i64::MIN, |entry| entry.revision)
    }

    /// Returns the bytes that it takes.
    fn push(&mut self, mut event: Event) -> u64 {
        let (begin, revision) = (self.bytes.len(), revision_of(&event));
        // Both records have the same key.
        let key = event.kv.as_mut().map(|kv| std::mem::take(&mut kv.key)).unwrap_or_default();
        if let Some(before) = &mut event.prev_kv {
            before.key = Bytes::new();
        }
        self.bytes.extend_from_slice(&key);
        let key_end = self.bytes.len();
        // A vector has room for everything.
        event.encode(&mut self.bytes).ok();
        let end = self.bytes.len();
        self.entries.push(Entry { revision, key_end, end });
        size(begin, end)
    }

    fn forget_before(&mut self, revision: i64) -> u64 {
        let mut freed = 0;
        while let Some(entry) = self.entries.get(self.gone).filter(|entry| entry.revision < revision) {
            freed += size(self.begin(self.gone), entry.end);
            self.gone += 1;
        }
        freed
    }

    fn since(&self, revision: i64) -> impl Iterator<Item = Packed<'_>> {
        let first = self.entries.partition_point(|entry| entry.revision < revision).max(self.gone);
        (first..self.entries.len()).map(|number| {
            let Entry { revision, key_end, end } = self.entries[number];
            Packed { revision, key: &self.bytes[self.begin(number)..key_end], rest: &self.bytes[key_end..end] }
        })
    }

    fn begin(&self, number: usize) -> usize {
        number.checked_sub(1).map_or(0, |before| self.entries[before].end)
    }
}

impl Packed<'_> {
    /// In bytes.
    pub(crate) fn size(&self) -> usize {
        self.key.len() + self.rest.len()
    }

    /// The event as it was.
    pub(crate) fn event(&self) -> Event {
        // It was written here: it can be read.
        let mut event = Event::decode(self.rest).unwrap_or_default();
        let key = Bytes::copy_from_slice(self.key);
        for record in [&mut event.kv, &mut event.prev_kv].into_iter().flatten() {
            record.key = key.clone();
        }
        event
    }
}

fn revision_of(event: &Event) -> i64 {
    event.kv.as_ref().map_or(0, |kv| kv.mod_revision)
}

fn size(begin: usize, end: usize) -> u64 {
    (end - begin + size_of::<Entry>()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::etcd::mvccpb::KeyValue;

    fn event(revision: i64, length: usize) -> Event {
        let record = |mod_revision, value: Vec<u8>| KeyValue {
            key: format!("key-{revision}").into(),
            value: value.into(),
            mod_revision,
            ..KeyValue::default()
        };
        let prev_kv = (revision % 2 == 0).then(|| record(revision - 1, vec![2; length]));
        Event { r#type: 1, kv: Some(record(revision, vec![1; length])), prev_kv }
    }

    #[test]
    fn what_goes_in_comes_out_until_it_is_forgotten() {
        let mut journal = Journal::default();
        let length = |revision: i64| if revision == 7 { 3 * CHUNK } else { 1000 };
        (1..=1000).for_each(|revision| journal.push(event(revision, length(revision))));
        let since =
            |journal: &Journal, first| -> Vec<Event> { journal.since(first).map(|packed| packed.event()).collect() };
        let expected =
            |first: i64| (first..=1000).map(|revision| event(revision, length(revision))).collect::<Vec<_>>();
        for first in [1, 2, 7, 8, 500, 1000, 1001] {
            assert!(since(&journal, first) == expected(first), "from {first} on");
        }
        assert_eq!(journal.since(9).next().unwrap().key, b"key-9");
        journal.forget_before(600);
        assert!(journal.oldest() == Some(600) && since(&journal, 1) == expected(600));
        journal.forget_before(2000);
        assert_eq!((journal.oldest(), journal.bytes(), journal.chunks.len()), (None, 0, 0));
        journal.push(event(2000, 1));
        assert_eq!(since(&journal, 1), [event(2000, 1)]);
    }
}
