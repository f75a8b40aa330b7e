//! Sidecars that have too much to do. What is due for them waits aside, and some of it is offered again after a pause: to offer all of it
//! again and again would read every job each time.
use crate::agenda::{Agenda, Due};
use crate::names::recipient;
use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

const PAUSE: SignedDuration = SignedDuration::from_millis(20);
/// Jobs that are offered again at once.
const AGAIN: usize = 1024;

/// Who has too much to do, by what the names of their jobs start with.
#[derive(Default)]
pub(super) struct Congestion {
    waiting: HashMap<Box<str>, Waiting>,
    /// The jobs whose turn it is.
    again: VecDeque<Due>,
}

struct Waiting {
    /// When the next ones are offered.
    until: Timestamp,
    /// The last one that was offered: the turn of others comes first.
    after: Option<Arc<str>>,
}

impl Congestion {
    /// A job was not taken.
    pub(super) fn add(&mut self, name: &str, now: Timestamp) {
        let until = now.saturating_add(PAUSE).unwrap_or(Timestamp::MAX);
        self.waiting.entry(recipient(name).into()).or_insert(Waiting { until, after: None });
    }

    /// Whether a job waits behind others.
    pub(super) fn holds(&self, name: &str) -> bool {
        !self.waiting.is_empty() && self.waiting.contains_key(recipient(name))
    }

    /// When some jobs are to be offered again.
    pub(super) fn next(&self) -> Option<Timestamp> {
        if !self.again.is_empty() {
            return Some(Timestamp::MIN);
        }
        self.waiting.values().map(|waiting| waiting.until).min()
    }

    /// The next job whose turn it is.
    pub(super) fn due(&mut self, agenda: &mut Agenda, now: Timestamp) -> Option<Due> {
        if self.again.is_empty() {
            self.again = self.turn(agenda, now);
        }
        self.again.pop_front()
    }

    fn turn(&mut self, agenda: &mut Agenda, now: Timestamp) -> VecDeque<Due> {
        let mut all = VecDeque::new();
        self.waiting.retain(|prefix, waiting| {
            if waiting.until > now {
                return true;
            }
            let mut due = agenda.take_staged(prefix, waiting.after.as_deref(), AGAIN);
            if due.len() < AGAIN && waiting.after.is_some() {
                due.extend(agenda.take_staged(prefix, None, AGAIN - due.len()));
            }
            waiting.after = due.last().map(|due| Arc::clone(&due.name));
            waiting.until = now.saturating_add(PAUSE).unwrap_or(Timestamp::MAX);
            let is_over = due.len() < AGAIN;
            all.extend(due);
            !is_over
        });
        all
    }
}
