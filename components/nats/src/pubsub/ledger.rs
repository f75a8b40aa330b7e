//! Which messages are in our hands: so that one that comes again is not handled twice at the same time, an acknowledgement of
//! a message with those before it covers none that is not done, and a consumer that is lost can begin where it stopped.
use async_nats::Subject;
use async_nats::datetime::DateTime;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A message of the stream: its number, and when it was published, as numbers begin anew in a stream that was made anew.
pub(super) type Key = (u64, DateTime);

/// How the server is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acknowledging {
    /// It forgets messages as it sends them.
    Never,
    Each,
    /// Each with all before it.
    AllBefore,
}

/// What is to be done with a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Handle,
    /// It is being handled, or waits for it.
    InHand,
    /// It was handled, and waits for those before it.
    Done,
}

/// Messages in our hands.
#[derive(Debug)]
pub(super) struct Ledger {
    acknowledging: Acknowledging,
    /// How long a message that failed may take to come again; one that has expired in the stream never does.
    patience: Duration,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    open: BTreeMap<Key, Entry>,
    /// Number after the last message that came.
    next: u64,
}

#[derive(Debug)]
struct Entry {
    /// Where the answer goes: that of the latest delivery.
    reply: Subject,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    InHand,
    /// It is to come again.
    Failed(Instant),
    /// It waits for those before it.
    Done,
}

impl Ledger {
    pub(super) fn new(acknowledging: Acknowledging, patience: Duration) -> Self {
        Self { acknowledging, patience, table: Mutex::default() }
    }

    /// Where the consumer begins.
    pub(super) fn begins(&self, sequence: u64) {
        let mut table = self.table();
        table.next = table.next.max(sequence);
    }

    /// Notes a message that came.
    pub(super) fn arrived(&self, key: Key, reply: Subject) -> Arrival {
        let mut table = self.table();
        table.next = table.next.max(key.0 + 1);
        let (state, arrival) = match table.open.get(&key).map(|entry| entry.state) {
            None | Some(State::Failed(_)) => (State::InHand, Arrival::Handle),
            Some(State::InHand) => (State::InHand, Arrival::InHand),
            Some(State::Done) => (State::Done, Arrival::Done),
        };
        table.open.insert(key, Entry { reply, state });
        arrival
    }

    /// Notes that a message was handled. Returns where it, or it with all before it, is acknowledged.
    pub(super) fn done(&self, key: Key) -> Option<Subject> {
        let mut table = self.table();
        match self.acknowledging {
            Acknowledging::Never => table.open.remove(&key).and(None),
            Acknowledging::Each => table.open.remove(&key).map(|entry| entry.reply),
            Acknowledging::AllBefore => {
                table.open.get_mut(&key)?.state = State::Done;
                table.take_done(self.patience)
            }
        }
    }

    /// Notes that a message was not handled and comes again. Returns where that is told.
    pub(super) fn failed(&self, key: Key) -> Option<Subject> {
        let mut table = self.table();
        if self.acknowledging == Acknowledging::Never {
            return table.open.remove(&key).and(None);
        }
        let entry = table.open.get_mut(&key)?;
        entry.state = State::Failed(Instant::now());
        Some(entry.reply.clone())
    }

    /// Notes that a message that failed is somebody else's now.
    pub(super) fn forget(&self, key: Key) {
        self.table().open.remove(&key);
    }

    /// Where the server is told of a message in our hands.
    pub(super) fn reply(&self, key: Key) -> Option<Subject> {
        let is_told = self.acknowledging != Acknowledging::Never;
        self.table().open.get(&key).filter(|_| is_told).map(|entry| entry.reply.clone())
    }

    /// Number of the first message that is not done.
    pub(super) fn first_open(&self) -> u64 {
        let table = self.table();
        table.open.first_key_value().map_or(table.next, |((sequence, _), _)| *sequence)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Takes what is done up to the first that is not. Returns where the last of it is acknowledged.
    fn take_done(&mut self, patience: Duration) -> Option<Subject> {
        let mut last = None;
        while let Some(entry) = self.open.first_entry() {
            match entry.get().state {
                State::Done => last = Some(entry.remove().reply),
                State::Failed(since) if since.elapsed() > patience => drop(entry.remove()),
                _ => break,
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_nats::datetime::from_nanos;

    const LONG: Duration = Duration::from_secs(60);

    fn key(sequence: u64) -> Key {
        (sequence, from_nanos(0).unwrap())
    }

    fn subject(text: &str) -> Subject {
        Subject::from(text)
    }

    #[test]
    fn what_comes_again() {
        let ledger = Ledger::new(Acknowledging::Each, LONG);
        assert_eq!(ledger.arrived(key(1), subject("first")), Arrival::Handle);
        assert_eq!(ledger.arrived(key(1), subject("second")), Arrival::InHand);
        assert_eq!(ledger.failed(key(1)), Some(subject("second")));
        assert_eq!(ledger.first_open(), 1);
        assert_eq!(ledger.arrived(key(1), subject("third")), Arrival::Handle);
        assert_eq!(ledger.done(key(1)), Some(subject("third")));
        assert_eq!((ledger.done(key(1)), ledger.first_open()), (None, 2));
        let of_new_stream = (1, from_nanos(7).unwrap());
        let both = [key(1), of_new_stream].map(|key| ledger.arrived(key, subject("a")));
        assert_eq!(both, [Arrival::Handle; 2]);
    }

    #[test]
    fn all_before() {
        let ledger = Ledger::new(Acknowledging::AllBefore, LONG);
        for number in 1..=4 {
            assert_eq!(ledger.arrived(key(number), subject(&number.to_string())), Arrival::Handle);
        }
        assert_eq!(ledger.done(key(1)), Some(subject("1")));
        assert_eq!(ledger.done(key(3)), None, "it waits for 2");
        assert_eq!(ledger.failed(key(2)), Some(subject("2")));
        assert_eq!(ledger.done(key(4)), None);
        assert_eq!(ledger.arrived(key(2), subject("again")), Arrival::Handle);
        assert_eq!(ledger.arrived(key(3), subject("3 again")), Arrival::Done);
        assert_eq!(ledger.done(key(2)), Some(subject("4")));
    }

    #[test]
    fn what_failed_and_never_comes_again() {
        let ledger = Ledger::new(Acknowledging::AllBefore, Duration::ZERO);
        for number in 1..=2 {
            assert_eq!(ledger.arrived(key(number), subject(&number.to_string())), Arrival::Handle);
        }
        assert!(ledger.failed(key(1)).is_some());
        while ledger.done(key(2)).is_none() {}
        assert_eq!(ledger.first_open(), 3);
    }

    #[test]
    fn nothing_is_told() {
        let ledger = Ledger::new(Acknowledging::Never, LONG);
        ledger.begins(5);
        assert_eq!(ledger.first_open(), 5);
        assert_eq!(ledger.arrived(key(7), subject("a")), Arrival::Handle);
        assert_eq!(ledger.reply(key(7)), None);
        assert_eq!((ledger.failed(key(7)), ledger.first_open()), (None, 8));
    }
}
