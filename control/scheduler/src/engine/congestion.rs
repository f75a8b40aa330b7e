//! Sidecars that have too much to do. What is due for them waits aside, and some of it is offered again after a pause: to offer all of it
//! again and again would read every job each time.
use crate::agenda::{Agenda, Due, Room};
use crate::names;
use crate::pool::Recipient;
use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

const PAUSE: SignedDuration = SignedDuration::from_millis(10);
/// Jobs that are offered again at once.
const AGAIN: usize = 2048;

/// Who has too much to do, by what the names of their jobs start with.
#[derive(Default)]
pub(super) struct Congestion {
    waiting: HashMap<Box<str>, Waiting>,
    /// The jobs whose turn it is.
    again: VecDeque<Due>,
}

struct Waiting {
    recipient: Arc<Recipient>,
    /// When the next ones are offered.
    until: Timestamp,
    /// The last one that was offered: the turn of others comes first.
    after: Option<Arc<str>>,
}

impl Congestion {
    /// A job was not taken.
    pub(super) fn add(&mut self, name: &str, recipient: Arc<Recipient>, now: Timestamp) {
        let until = later(now);
        self.waiting.entry(names::recipient(name).into()).or_insert(Waiting { recipient, until, after: None });
    }

    /// Whether a job has to wait behind others.
    pub(super) fn holds(&self, name: &str) -> bool {
        !self.waiting.is_empty() && self.waiting.contains_key(names::recipient(name))
    }

    /// When some jobs are to be offered again.
    pub(super) fn next(&self) -> Option<Timestamp> {
        if !self.again.is_empty() {
            return Some(Timestamp::MIN);
        }
        self.waiting.values().map(|waiting| waiting.until).min()
    }

    /// The next job whose turn it is. `room` tells how much a recipient can take now; none when nobody is there to take any.
    pub(super) fn due(
        &mut self,
        agenda: &mut Agenda,
        now: Timestamp,
        room: impl Fn(&Recipient) -> Option<Room>,
    ) -> Option<Due> {
        if self.again.is_empty() && !self.waiting.is_empty() {
            self.again = self.turn(agenda, now, room);
        }
        self.again.pop_front()
    }

    fn turn(
        &mut self,
        agenda: &mut Agenda,
        now: Timestamp,
        room: impl Fn(&Recipient) -> Option<Room>,
    ) -> VecDeque<Due> {
        let mut all = VecDeque::new();
        self.waiting.retain(|prefix, waiting| {
            if waiting.until > now {
                return true;
            }
            // What is staged waits for somebody to come.
            let Some(room) = room(&waiting.recipient) else { return false };
            let mut room = Room { jobs: room.jobs.min(AGAIN), ..room };
            waiting.take(prefix, agenda, &mut room, &mut all);
            if !agenda.has_staged(prefix, waiting.after.as_deref()) {
                waiting.after = None;
                waiting.take(prefix, agenda, &mut room, &mut all);
            }
            waiting.until = later(now);
            agenda.has_staged(prefix, None)
        });
        all
    }
}

impl Waiting {
    fn take(&mut self, prefix: &str, agenda: &mut Agenda, room: &mut Room, all: &mut VecDeque<Due>) {
        let due = agenda.take_staged(prefix, self.after.as_deref(), room);
        if let Some(last) = due.last() {
            self.after = Some(Arc::clone(&last.name));
        }
        all.extend(due);
    }
}

fn later(now: Timestamp) -> Timestamp {
    now.saturating_add(PAUSE).unwrap_or(Timestamp::MAX)
}
