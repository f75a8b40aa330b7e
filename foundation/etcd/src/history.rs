//! What has happened lately, for those who watch and those who read the past.
//!
//! It is kept in memory up to a bound, and a little longer for watches that have not seen it. One that falls behind further begins
//! anew, as after a compaction.
use crate::Error;
use crate::journal::Journal;
use crate::keys::Keys;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use wire::etcd::mvccpb::{Event, KeyValue};

/// Events that one look gives at most.
const MOST_EVENTS: usize = 1024;
/// How many times the bound is kept for watches that are behind.
const UNSEEN: u64 = 16;
/// Of which part of the bound is kept when nothing happens any more.
const LATEST: u64 = 16;

/// Events in the order of their revisions.
pub(crate) struct History {
    events: Journal,
    /// The last revision.
    revision: i64,
    /// The last revision of which events are gone.
    forgotten: i64,
    limits: Limits,
    /// The first revisions that watches have not seen.
    unseen: Vec<Weak<AtomicI64>>,
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) bytes: u64,
    pub(crate) revisions: i64,
}

/// Events of interest, and where to go on.
pub(crate) struct Look {
    pub(crate) events: Vec<Event>,
    /// The first revision that was not looked at.
    pub(crate) next: i64,
}

impl History {
    pub(crate) fn new(revision: i64, limits: Limits) -> Self {
        Self { events: Journal::default(), revision, forgotten: revision, limits, unseen: Vec::new() }
    }

    pub(crate) fn revision(&self) -> i64 {
        self.revision
    }

    /// The first revision that can be watched.
    pub(crate) fn first(&self) -> i64 {
        self.forgotten + 1
    }

    pub(crate) fn add(&mut self, events: Vec<Event>, revision: i64) {
        events.into_iter().for_each(|event| self.events.push(event));
        self.revision = revision;
        self.forget_before(revision - self.limits.revisions);
        let unseen = self.first_unseen();
        while self.forgotten < self.revision {
            let oldest = self.events.oldest().unwrap_or(self.revision);
            let bound = if oldest < unseen { self.limits.bytes } else { self.limits.bytes.saturating_mul(UNSEEN) };
            if self.events.bytes() <= bound {
                break;
            }
            self.forget_before(oldest + 1);
        }
    }

    /// A watch begins at a revision; it says in the number how far it is, and is forgotten with it.
    pub(crate) fn register(&mut self, first: i64) -> Arc<AtomicI64> {
        let position = Arc::new(AtomicI64::new(first));
        self.unseen.push(Arc::downgrade(&position));
        position
    }

    fn first_unseen(&mut self) -> i64 {
        self.unseen.retain(|watch| watch.strong_count() > 0);
        let positions = self.unseen.iter().filter_map(Weak::upgrade);
        positions.map(|position| position.load(Ordering::Relaxed)).min().unwrap_or(i64::MAX)
    }

    /// Keeps nothing from before a revision.
    pub(crate) fn forget_before(&mut self, revision: i64) {
        self.events.forget_before(revision);
        self.forgotten = self.forgotten.max((revision - 1).min(self.revision));
    }

    /// Forgets what came before a revision and all watches have seen, but for the latest part.
    pub(crate) fn age(&mut self, revision: i64) {
        let revision = revision.min(self.first_unseen());
        while self.events.bytes() > self.limits.bytes / LATEST {
            let Some(oldest) = self.events.oldest().filter(|oldest| *oldest < revision) else { return };
            self.forget_before(oldest + 1);
        }
    }

    /// Begins anew at a revision: what led to it is unknown.
    pub(crate) fn restart(&mut self, revision: i64) {
        let unseen = std::mem::take(&mut self.unseen);
        *self = Self { unseen, ..Self::new(revision, self.limits) };
    }

    /// What has happened to keys from a revision on, up to a bound.
    pub(crate) fn since(&self, first: i64, keys: &Keys) -> Result<Look, Error> {
        if first <= self.forgotten {
            return Err(Error::Compacted);
        }
        let (mut events, mut next) = (Vec::new(), self.revision + 1);
        let mut last = first;
        for packed in self.events.since(first) {
            // Those of one revision stay together.
            if events.len() >= MOST_EVENTS && last < packed.revision {
                next = packed.revision;
                break;
            }
            if keys.has(packed.key) {
                last = packed.revision;
                events.push(packed.event());
            }
        }
        Ok(Look { events, next: next.max(first) })
    }

    /// What keys were at a revision that have changed since, up to another one.
    pub(crate) fn undo(&self, at: i64, up_to: i64, keys: &Keys) -> Result<BTreeMap<Bytes, Option<KeyValue>>, Error> {
        if at < self.forgotten {
            return Err(Error::Compacted);
        }
        let mut before = BTreeMap::new();
        let meant = self.events.since(at + 1).take_while(|packed| packed.revision <= up_to);
        for packed in meant.filter(|packed| keys.has(packed.key)) {
            before.entry(Bytes::copy_from_slice(packed.key)).or_insert_with(|| packed.event().prev_kv);
        }
        Ok(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(key: &'static str, revision: i64) -> Event {
        let kv = |mod_revision| KeyValue { key: key.into(), mod_revision, ..KeyValue::default() };
        Event { r#type: 0, kv: Some(kv(revision)), prev_kv: (revision > 2).then(|| kv(revision - 1)) }
    }

    fn history(limits: Limits) -> History {
        let mut history = History::new(1, limits);
        (2..=6).for_each(|revision| history.add(vec![event("a", revision), event("b", revision)], revision));
        history
    }

    fn keys(key: &'static str) -> Keys {
        Keys::of(&key.into(), &Bytes::new()).unwrap()
    }

    const WIDE: Limits = Limits { bytes: 1 << 20, revisions: 100 };

    #[test]
    fn a_watch_sees_each_event_of_its_keys_once() {
        let look = history(WIDE).since(4, &keys("b")).unwrap();
        assert_eq!(look.events, [event("b", 4), event("b", 5), event("b", 6)]);
        assert_eq!(look.next, 7);
        assert_eq!(history(WIDE).since(9, &keys("b")).unwrap().next, 9);
    }

    /// Bytes of so many events.
    fn bytes_of(count: u64) -> u64 {
        let mut journal = Journal::default();
        journal.push(event("a", 9));
        count * journal.bytes()
    }

    #[test]
    fn what_is_forgotten_is_said_to_be() {
        for limits in [Limits { bytes: bytes_of(4), ..WIDE }, Limits { revisions: 1, ..WIDE }] {
            let history = history(limits);
            assert!(history.first() > 2 && history.first() <= 6, "{}", history.first());
            assert_eq!(history.since(2, &keys("a")).err(), Some(Error::Compacted));
            assert!(history.since(history.first(), &keys("a")).is_ok());
        }
    }

    #[test]
    fn what_a_watch_has_not_seen_is_kept_longer() {
        let mut history = History::new(1, Limits { bytes: bytes_of(4), ..WIDE });
        let position = history.register(2);
        (2..=9).for_each(|revision| history.add(vec![event("a", revision)], revision));
        assert_eq!(history.since(2, &keys("a")).unwrap().events.len(), 8);
        position.store(10, Ordering::Relaxed);
        history.add(vec![event("a", 10)], 10);
        assert_eq!(history.since(2, &keys("a")).err(), Some(Error::Compacted));
        (11..=200).for_each(|revision| history.add(vec![event("a", revision)], revision));
        assert_eq!(history.since(10, &keys("a")).err(), Some(Error::Compacted));
    }

    #[test]
    fn what_is_old_and_seen_is_forgotten_but_for_the_latest() {
        let limits = Limits { bytes: LATEST * bytes_of(8), ..WIDE };
        let mut history = History::new(1, limits);
        (2..=99).for_each(|revision| history.add(vec![event("a", revision)], revision));
        let position = history.register(50);
        history.age(90);
        assert_eq!(history.first(), 50);
        drop(position);
        history.age(90);
        assert_eq!(history.first(), 90);
        history.age(100);
        assert_eq!(history.first(), 92);
    }

    #[test]
    fn the_past_is_the_present_without_what_came_since() {
        let before = history(WIDE).undo(3, 5, &keys("a")).unwrap();
        assert_eq!(before.get(&b"a"[..]).unwrap().as_ref().unwrap().mod_revision, 3);
        assert!(history(WIDE).undo(6, 6, &keys("a")).unwrap().is_empty());
    }
}
