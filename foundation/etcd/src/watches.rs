//! Who watches what, so that a change comes to those alone whom it concerns.
use crate::keys::Keys;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tokio::sync::Notify;
use wire::etcd::mvccpb::Event;

/// The number of a watch.
pub(crate) type Id = u64;
/// Who is to be told that there is news.
pub(crate) type News = Vec<Arc<Notify>>;

/// All watches. Those of the same keys are together.
#[derive(Default)]
pub(crate) struct Watches {
    all: BTreeMap<Id, Watch>,
    singles: HashMap<Bytes, BTreeSet<Id>>,
    ranges: BTreeMap<Keys, BTreeSet<Id>>,
    /// Those that have something to look at, by the first revision of that.
    behind: BTreeSet<(i64, Id)>,
    next: Id,
}

struct Watch {
    keys: Keys,
    /// Nothing before this revision is of interest.
    first: i64,
    behind: Option<i64>,
    news: Arc<Notify>,
}

impl Watches {
    /// Adds a watch, which has something to look at if it begins before the next revision.
    pub(crate) fn add(&mut self, keys: Keys, first: i64, next: i64) -> (Id, Arc<Notify>) {
        let (id, news) = (self.next, Arc::new(Notify::new()));
        self.next += 1;
        self.alike(&keys).insert(id);
        self.all.insert(id, Watch { keys, first, behind: None, news: Arc::clone(&news) });
        self.set(id, Some(first).filter(|first| *first < next));
        (id, news)
    }

    pub(crate) fn remove(&mut self, id: Id) {
        self.set(id, None);
        let Some(Watch { keys, .. }) = self.all.remove(&id) else { return };
        let alike = self.alike(&keys);
        alike.remove(&id);
        if alike.is_empty() {
            match keys.single() {
                Some(key) => drop(self.singles.remove(key)),
                None => drop(self.ranges.remove(&keys)),
            }
        }
    }

    /// Those who watch the same keys.
    fn alike(&mut self, keys: &Keys) -> &mut BTreeSet<Id> {
        match keys.single() {
            Some(key) => self.singles.entry(key.clone()).or_default(),
            None => self.ranges.entry(keys.clone()).or_default(),
        }
    }

    /// The keys of a watch, and the first revision that it has to look at.
    pub(crate) fn behind(&self, id: Id) -> Option<(&Keys, i64)> {
        let watch = self.all.get(&id)?;
        watch.behind.map(|first| (&watch.keys, first))
    }

    /// A watch has to look at what is from a revision on, or at nothing.
    pub(crate) fn set(&mut self, id: Id, behind: Option<i64>) {
        let Some(watch) = self.all.get_mut(&id) else { return };
        if let Some(before) = std::mem::replace(&mut watch.behind, behind) {
            self.behind.remove(&(before, id));
        }
        self.behind.extend(behind.map(|first| (first, id)));
    }

    /// The first revision that any of them has to look at.
    pub(crate) fn first_unseen(&self) -> Option<i64> {
        self.behind.first().map(|(first, _)| *first)
    }

    /// Something has happened, from one revision to another. Those who have something to look at already know.
    pub(crate) fn happened(&mut self, events: &[Event], (from, to): (i64, i64)) -> News {
        let mut news = News::new();
        for id in self.concerned(events) {
            let Some(watch) = self.all.get(&id).filter(|watch| watch.behind.is_none() && watch.first <= to) else {
                continue;
            };
            news.push(Arc::clone(&watch.news));
            let first = watch.first.max(from);
            self.set(id, Some(first));
        }
        news
    }

    fn concerned(&self, events: &[Event]) -> Vec<Id> {
        let keys = events.iter().filter_map(|event| event.kv.as_ref()).map(|kv| &kv.key[..]);
        let keys: Vec<_> = keys.collect::<BTreeSet<_>>().into_iter().collect();
        let singles = keys.iter().filter_map(|key| self.singles.get(*key));
        let ranges = self.ranges.iter().filter(|(range, _)| range.has_any(&keys)).map(|(_, ids)| ids);
        singles.chain(ranges).flatten().copied().collect()
    }

    /// What happened behind the known revision and up to another one is unknown: all have to look at it, but for those that begin later.
    pub(crate) fn lose(&mut self, (known, up_to): (i64, i64)) -> News {
        let misses = |watch: &Watch| watch.first <= up_to && (watch.behind.is_some() || known != up_to);
        let lost = self.all.iter().filter(|(_, watch)| misses(watch));
        let lost: Vec<_> = lost.map(|(id, watch)| (*id, Arc::clone(&watch.news))).collect();
        lost.iter().for_each(|(id, _)| self.set(*id, Some(0)));
        lost.into_iter().map(|(_, news)| news).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::etcd::mvccpb::KeyValue;

    fn keys(first: &'static str, end: &'static str) -> Keys {
        Keys::of(&first.into(), &end.into()).unwrap()
    }

    fn events(keys: &[&'static str]) -> Vec<Event> {
        let event = |key: &&'static str| Event {
            kv: Some(KeyValue { key: (*key).into(), ..KeyValue::default() }),
            ..Event::default()
        };
        keys.iter().map(event).collect()
    }

    #[test]
    fn a_change_comes_to_those_whom_it_concerns_once() {
        let mut watches = Watches::default();
        let ids = [("a", ""), ("a", "c"), ("b", ""), ("c", "\0"), ("a", "c")]
            .map(|(first, end)| watches.add(keys(first, end), 5, 5).0);
        let is_behind = |watches: &Watches| ids.map(|id| watches.behind(id).map(|(_, first)| first));
        assert_eq!(watches.happened(&events(&["b", "b"]), (5, 6)).len(), 3);
        assert_eq!(is_behind(&watches), [None, Some(5), Some(5), None, Some(5)]);
        assert_eq!(watches.happened(&events(&["a", "d"]), (7, 7)).len(), 2, "the others know");
        assert_eq!(is_behind(&watches), [Some(7), Some(5), Some(5), Some(7), Some(5)]);
        ids[1..].iter().for_each(|id| watches.set(*id, None));
        assert_eq!(watches.first_unseen(), Some(7));
        ids.iter().for_each(|id| watches.remove(*id));
        assert!(watches.all.is_empty() && watches.singles.is_empty() && watches.ranges.is_empty());
        assert_eq!(watches.first_unseen(), None);
    }

    #[test]
    fn a_watch_may_begin_before_now_or_later() {
        let mut watches = Watches::default();
        let (old, _) = watches.add(keys("a", ""), 3, 5);
        let (new, _) = watches.add(keys("a", ""), 9, 5);
        assert_eq!((watches.behind(old).map(|(_, first)| first), watches.behind(new)), (Some(3), None));
        assert!(watches.happened(&events(&["a"]), (5, 8)).is_empty());
        assert_eq!(watches.happened(&events(&["a"]), (8, 10)).len(), 1);
        assert_eq!(watches.behind(new).map(|(_, first)| first), Some(9));
        watches.set(old, None);
        assert!(watches.lose((8, 8)).is_empty());
        assert_eq!(watches.lose((7, 8)).len(), 1);
        assert_eq!(watches.first_unseen(), Some(0));
    }
}
