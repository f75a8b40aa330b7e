//! What has happened lately, for those who watch and those who read the past.
//!
//! It is kept in memory up to a bound, and a little longer for watches that have not seen it. One that falls behind further begins
//! anew, as after a compaction.
use crate::Error;
use crate::journal::Journal;
use crate::keys::Keys;
use crate::watches::{Id, News, Watches};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;
use wire::etcd::mvccpb::{Event, KeyValue};

/// Events that one look gives at most, and their bytes; those of one revision stay together.
const MOST_EVENTS: usize = 1024;
pub(crate) const MOST_BYTES: usize = 256 << 10;
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
    watches: Watches,
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
        Self { events: Journal::default(), revision, forgotten: revision, limits, watches: Watches::default() }
    }

    pub(crate) fn revision(&self) -> i64 {
        self.revision
    }

    /// The first revision that can be watched.
    pub(crate) fn first(&self) -> i64 {
        self.forgotten + 1
    }

    /// Returns who is to be told of it.
    #[must_use]
    pub(crate) fn add(&mut self, events: Vec<Event>, revision: i64) -> News {
        let news = self.watches.happened(&events, (self.revision + 1, revision));
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
        news
    }

    /// A watch begins at a revision; 0 is the next one.
    pub(crate) fn watch(&mut self, keys: Keys, first: i64) -> (Id, Arc<Notify>) {
        let next = self.revision + 1;
        self.watches.add(keys, if first > 0 { first } else { next }, next)
    }

    pub(crate) fn end_watch(&mut self, watch: Id) {
        self.watches.remove(watch);
    }

    /// Whether a watch has something to look at.
    pub(crate) fn has_news(&self, watch: Id) -> bool {
        self.watches.behind(watch).is_some()
    }

    /// The revision up to which a watch has seen all.
    pub(crate) fn seen(&self, watch: Id) -> i64 {
        self.watches.behind(watch).map_or(self.revision, |(_, first)| first - 1)
    }

    /// What a watch has not looked at, up to a bound; its next look begins behind that.
    pub(crate) fn look(&mut self, watch: Id) -> Result<Option<Look>, Error> {
        let Some((keys, first)) = self.watches.behind(watch) else { return Ok(None) };
        let look = self.since(first, keys)?;
        self.watches.set(watch, Some(look.next).filter(|next| *next <= self.revision));
        Ok(Some(look).filter(|look| !look.events.is_empty()))
    }

    fn first_unseen(&self) -> i64 {
        self.watches.first_unseen().unwrap_or(i64::MAX)
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

    /// Begins anew at a revision: what led to it is unknown. Returns who is to be told of it.
    #[must_use]
    pub(crate) fn restart(&mut self, revision: i64) -> News {
        let mut watches = std::mem::take(&mut self.watches);
        let news = watches.lose((self.revision, revision));
        *self = Self { watches, ..Self::new(revision, self.limits) };
        news
    }

    /// What has happened to keys from a revision on, up to a bound.
    fn since(&self, first: i64, keys: &Keys) -> Result<Look, Error> {
        if first <= self.forgotten {
            return Err(Error::Compacted);
        }
        let (mut events, mut next) = (Vec::new(), self.revision + 1);
        let (mut last, mut bytes) = (first, 0);
        for packed in self.events.since(first) {
            let is_enough = events.len() >= MOST_EVENTS || bytes >= MOST_BYTES;
            if is_enough && last < packed.revision {
                next = packed.revision;
                break;
            }
            if keys.has(packed.key) {
                last = packed.revision;
                bytes += packed.size();
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
        (2..=6).for_each(|revision| drop(history.add(vec![event("a", revision), event("b", revision)], revision)));
        history
    }

    fn add(history: &mut History, revision: i64) {
        drop(history.add(vec![event("a", revision)], revision));
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
        let (watch, _) = history.watch(keys("a"), 2);
        (2..=9).for_each(|revision| add(&mut history, revision));
        assert_eq!(history.since(2, &keys("a")).unwrap().events.len(), 8);
        assert_eq!(history.look(watch).unwrap().unwrap().events.len(), 8);
        add(&mut history, 10);
        assert_eq!(history.since(2, &keys("a")).err(), Some(Error::Compacted));
        (11..=200).for_each(|revision| add(&mut history, revision));
        assert_eq!(history.since(10, &keys("a")).err(), Some(Error::Compacted));
    }

    #[test]
    fn what_is_old_and_seen_is_forgotten_but_for_the_latest() {
        let limits = Limits { bytes: LATEST * bytes_of(8), ..WIDE };
        let mut history = History::new(1, limits);
        (2..=99).for_each(|revision| add(&mut history, revision));
        let (watch, _) = history.watch(keys("a"), 50);
        history.age(90);
        assert_eq!(history.first(), 50);
        history.end_watch(watch);
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

    #[test]
    fn a_watch_that_nothing_concerned_has_missed_nothing() {
        let mut history = History::new(1, Limits { revisions: 5, ..WIDE });
        let (watch, _) = history.watch(keys("b"), 0);
        (2..=99).for_each(|revision| add(&mut history, revision));
        assert_eq!((history.has_news(watch), history.seen(watch)), (false, 99));
        assert_eq!(history.add(vec![event("b", 100)], 100).len(), 1);
        assert_eq!((history.has_news(watch), history.seen(watch)), (true, 99));
        let look = history.look(watch).unwrap().unwrap();
        assert_eq!((look.events, look.next, history.seen(watch)), (vec![event("b", 100)], 101, 100));
        assert_eq!(history.restart(200).len(), 1);
        assert_eq!(history.look(watch).err(), Some(Error::Compacted));
    }

    #[test]
    fn a_look_gives_few_bytes_but_whole_revisions() {
        let large = |key: &'static str, revision| {
            let mut event = event(key, revision);
            event.kv.as_mut().unwrap().value = vec![1; MOST_BYTES / 2].into();
            event
        };
        let mut history = History::new(1, Limits { bytes: 1 << 30, ..WIDE });
        let (watch, _) = history.watch(Keys::of(&"a".into(), &"c".into()).unwrap(), 0);
        for revision in 2..=9 {
            drop(history.add(vec![large("a", revision), large("b", revision), large("b", revision)], revision));
        }
        for revision in 2..=9 {
            let look = history.look(watch).unwrap().unwrap();
            assert_eq!((look.events.len(), look.next), (3, revision + 1));
        }
        assert!(!history.has_news(watch));
    }
}
