//! Jobs that are due and have to wait for a limit at which too much waits already. They are read again when there is room for them, so that
//! what waits for one limit keeps nothing from those that have to pass another.
use crate::agenda::{Due, Room};
use crate::pool::{MOST_HELD_BYTES, Recipient};
use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Between two looks at whether there is room.
const PAUSE: SignedDuration = SignedDuration::from_millis(50);

/// The last limit that a trigger has to pass: who takes it, and the name of the limit if it has one.
pub(super) type Limit = (Arc<Recipient>, Option<Arc<str>>);

#[derive(Default)]
pub(super) struct Held {
    waiting: HashMap<Limit, VecDeque<Due>>,
    until: Option<Timestamp>,
    /// Those whose turn it is.
    again: VecDeque<Due>,
}

impl Held {
    pub(super) fn add(&mut self, limit: Limit, due: Due, now: Timestamp) {
        self.until.get_or_insert(later(now));
        self.waiting.entry(limit).or_default().push_back(due);
    }

    /// When there may be room for some.
    pub(super) fn next(&self) -> Option<Timestamp> {
        if self.again.is_empty() { self.until } else { Some(Timestamp::MIN) }
    }

    pub(super) fn len(&self) -> usize {
        self.again.len() + self.waiting.values().map(VecDeque::len).sum::<usize>()
    }

    /// When the one was due that waits longest.
    pub(super) fn since(&self) -> Option<Timestamp> {
        let first = self.waiting.values().filter_map(VecDeque::front);
        first.chain(self.again.front()).map(|due| due.at).min()
    }

    /// The next job whose turn it is. `room` tells how much more may wait at a limit.
    pub(super) fn due(&mut self, now: Timestamp, room: impl Fn(&Recipient, Option<&str>) -> Room) -> Option<Due> {
        if self.again.is_empty() && self.until.is_some_and(|until| until <= now) {
            self.turn(room);
            self.until = (!self.waiting.is_empty()).then(|| later(now));
        }
        self.again.pop_front()
    }

    fn turn(&mut self, room: impl Fn(&Recipient, Option<&str>) -> Room) {
        let again = &mut self.again;
        self.waiting.retain(|(recipient, name), waiting| {
            let mut room = room(recipient, name.as_deref());
            let mut fits = |due: &mut Due| room.take(due.bytes as usize, MOST_HELD_BYTES).is_some();
            again.extend(std::iter::from_fn(|| waiting.pop_front_if(&mut fits)));
            !waiting.is_empty()
        });
    }
}

fn later(now: Timestamp) -> Timestamp {
    now.saturating_add(PAUSE).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Progress;

    fn due(name: &str, bytes: u32) -> Due {
        Due { name: name.into(), revision: 1, at: Timestamp::UNIX_EPOCH, bytes, progress: Progress::default() }
    }

    #[test]
    fn each_limit_has_its_own_room() {
        let (mut held, mut now) = (Held::default(), Timestamp::UNIX_EPOCH);
        let recipient = Arc::new(Recipient::Type("ns".to_owned(), "type".to_owned()));
        let limit = |name: &str| (Arc::clone(&recipient), Some(Arc::from(name)));
        for (name, of) in [("1", "full"), ("2", "open"), ("3", "open"), ("4", "open")] {
            held.add(limit(of), due(name, 10), now);
        }
        let room =
            |_: &Recipient, name: Option<&str>| Room { jobs: 9, bytes: if name == Some("full") { 0 } else { 25 } };
        assert!(held.due(now, room).is_none(), "it is not time yet");
        now = held.next().unwrap();
        let names: Vec<_> = std::iter::from_fn(|| held.due(now, room)).map(|due| due.name).collect();
        assert_eq!((names, held.len()), (vec!["2".into(), "3".into()], 2));
        assert!(held.next().unwrap() > now && held.since() == Some(Timestamp::UNIX_EPOCH));
        now = held.next().unwrap();
        let names: Vec<_> = std::iter::from_fn(|| held.due(now, |_, _| Room::UNLIMITED)).map(|due| due.name).collect();
        assert_eq!((names.len(), held.next()), (2, None));
    }
}
