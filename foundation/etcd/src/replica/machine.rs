//! The records of a member, as the log changes them.
//!
//! Commits to the records do not wait for the disk: the log lasts, and what is lost here is applied again. They last at each [`Machine::flush`].
use super::snapshot::{Data, Incoming, View};
use super::types::{Applied, Encoded, Entry, SnapshotMeta, StorageError, Types, damaged};
use crate::Error;
use crate::damage::guarded;
use crate::database::{LEASES, Numbers};
use crate::execution::Execution;
use crate::quota::Quota;
use crate::watcher::history;
use crate::writer::Shared;
use openraft::storage::RaftStateMachine;
use openraft::{AnyError, EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot, StorageIOError, StoredMembership};
use prost::Message;
use redb::{Durability, WriteTransaction};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use wire::etcd::etcdserverpb::{LeaseGrantRequest, TxnResponse};
use wire::trilby::replication::v1::change::Change as Kind;
use wire::trilby::replication::v1::{Changes, Outcome};

/// Bytes of entries after which the records are made to last, and what each counts beside its own: what is not saved takes space.
const FLUSH: usize = 16 << 20;
const OVERHEAD: usize = 16 << 10;

/// The records, and how far they are.
pub(crate) struct Machine {
    shared: Arc<Shared>,
    state: Mutex<State>,
    /// Index of the last entry that readers can see.
    index: watch::Sender<Option<u64>>,
}

struct State {
    applied: Applied,
    /// Bytes of entries since the last flush.
    unsaved: usize,
}

/// What a write comes to.
struct Written {
    outcomes: Vec<Vec<Outcome>>,
    applied: Applied,
    /// Revisions up to which the past is to be forgotten.
    compactions: Vec<i64>,
}

impl Machine {
    /// Goes on where the file is. Leases are those that it has.
    pub(crate) fn open(shared: Arc<Shared>) -> Result<Self, Error> {
        let (applied, leases) = shared.database.replicated()?;
        shared.leases.restore(leases);
        let index = watch::Sender::new(applied.last.map(|last| last.index));
        Ok(Self { shared, state: Mutex::new(State { applied, unsaved: 0 }), index })
    }

    /// How far the records are, and changes of it.
    pub(crate) fn index(&self) -> watch::Receiver<Option<u64>> {
        self.index.subscribe()
    }

    /// Index of the last entry in the records.
    pub(crate) fn applied(&self) -> Option<u64> {
        *self.index.borrow()
    }

    /// Makes the records last.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        let mut state = self.state();
        let database = self.shared.database.current()?;
        let mut writing = database.begin_write().map_err(Error::storage)?;
        writing.set_durability(Durability::Immediate).map_err(Error::storage)?;
        writing.commit().map_err(Error::storage)?;
        state.unsaved = 0;
        Ok(())
    }

    /// Makes the file as small as it can be.
    pub(crate) fn defragment(&self) -> Result<(), Error> {
        let _state = self.state();
        self.shared.database.defragment()
    }

    fn apply_all(&self, entries: Vec<Entry>) -> Result<Vec<Vec<Outcome>>, Error> {
        let mut state = self.state();
        state.unsaved += entries.iter().map(weight).sum::<usize>();
        let is_lasting = state.unsaved >= FLUSH;
        let database = self.shared.database.current()?;
        let mut writing = database.begin_write().map_err(Error::storage)?;
        writing
            .set_durability(if is_lasting { Durability::Immediate } else { Durability::None })
            .map_err(Error::storage)?;
        let before = *self.shared.numbers.borrow();
        let mut execution = Execution::new(&writing, before, Quota(u64::MAX))?;
        let mut written = Written { outcomes: Vec::new(), applied: state.applied.clone(), compactions: Vec::new() };
        for entry in entries {
            let outcomes = self.apply_entry(&writing, &mut execution, entry, &mut written)?;
            written.outcomes.push(outcomes);
        }
        let (numbers, events) = (execution.numbers, std::mem::take(&mut execution.events));
        drop(execution);
        numbers.write(&writing)?;
        written.applied.write(&writing)?;
        writing.commit().map_err(Error::storage)?;
        self.shared.publish(numbers, events);
        self.compact(&written.compactions);
        state.applied = written.applied;
        state.unsaved = if is_lasting { 0 } else { state.unsaved };
        self.index.send_replace(state.applied.last.map(|last| last.index));
        Ok(written.outcomes)
    }

    fn apply_entry(
        &self,
        writing: &WriteTransaction,
        execution: &mut Execution<'_>,
        entry: Entry,
        written: &mut Written,
    ) -> Result<Vec<Outcome>, Error> {
        written.applied.last = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Blank => Ok(Vec::new()),
            EntryPayload::Membership(membership) => {
                written.applied.membership = StoredMembership::new(Some(entry.log_id), membership);
                Ok(Vec::new())
            }
            EntryPayload::Normal(Encoded(changes)) => {
                let Changes { changes, quota } = Changes::decode(changes).map_err(|_| damaged())?;
                execution.quota = Quota(quota);
                let changes = changes.into_iter().map(|change| change.change.ok_or_else(damaged));
                changes.map(|change| self.carry_out(writing, execution, change?, &mut written.compactions)).collect()
            }
        }
    }

    /// What is refused is an outcome; an error means that the file cannot be used.
    fn carry_out(
        &self,
        writing: &WriteTransaction,
        execution: &mut Execution<'_>,
        change: Kind,
        compactions: &mut Vec<i64>,
    ) -> Result<Outcome, Error> {
        let done = match change {
            Kind::Transaction(request) => execution.transact(&request, &self.shared.leases).map(Some),
            Kind::Grant(grant) => self.grant(writing, &grant),
            Kind::EndLease(id) => self.end_lease(writing, execution, id),
            Kind::EndAlarm(_) => {
                execution.numbers.no_space = false;
                Ok(None)
            }
            Kind::Compaction(revision) => self.may_compact(revision, execution.numbers.revision).map(|()| {
                compactions.push(revision);
                None
            }),
        };
        match done {
            Err(error) if error.is_of_file() => Err(error),
            done => Ok(outcome(done, execution.numbers.revision)),
        }
    }

    fn grant(&self, writing: &WriteTransaction, grant: &LeaseGrantRequest) -> Result<Option<TxnResponse>, Error> {
        let (id, seconds) = self.shared.leases.grant(grant.id, grant.ttl)?;
        let mut leases = writing.open_table(LEASES).map_err(Error::storage)?;
        leases.insert(id, seconds).map_err(Error::storage)?;
        Ok(None)
    }

    fn end_lease(
        &self,
        writing: &WriteTransaction,
        execution: &mut Execution<'_>,
        id: i64,
    ) -> Result<Option<TxnResponse>, Error> {
        if !self.shared.leases.end(id) {
            return Err(Error::LeaseNotFound);
        }
        let mut leases = writing.open_table(LEASES).map_err(Error::storage)?;
        leases.remove(id).map_err(Error::storage)?;
        execution.end_lease(Some(id)).map(|()| None)
    }

    fn may_compact(&self, revision: i64, now: i64) -> Result<(), Error> {
        if revision > now {
            return Err(Error::FutureRevision);
        }
        if revision < history(&self.shared).first() - 1 { Err(Error::Compacted) } else { Ok(()) }
    }

    fn compact(&self, revisions: &[i64]) {
        if let Some(revision) = revisions.iter().max() {
            history(&self.shared).forget_before(revision + 1);
        }
    }

    /// The records as they are now.
    fn view(&self) -> Result<Snapshot<Types>, Error> {
        let _state = self.state();
        let (view, applied) = View::open(&self.shared.database)?;
        Ok(Snapshot { meta: applied.meta(), snapshot: Box::new(Data::View(Box::new(view))) })
    }

    fn begin_receiving(&self) -> Result<Incoming, Error> {
        Incoming::begin(&self.shared.database)
    }

    fn install(&self, meta: &SnapshotMeta, incoming: Incoming) -> Result<(), Error> {
        let mut state = self.state();
        let own = *self.shared.numbers.borrow();
        let received = incoming.finish(&Applied::from(meta), own)?;
        self.shared.database.replace(received)?;
        let (applied, leases) = self.shared.database.replicated()?;
        let numbers = self.shared.database.numbers()?;
        self.shared.leases.restore(leases);
        self.shared.publish_anew(Numbers { cluster: own.cluster, member: own.member, ..numbers });
        self.index.send_replace(applied.last.map(|last| last.index));
        *state = State { applied, unsaved: 0 };
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn while_nothing_is_written(&self, look: impl FnOnce()) {
        let _state = self.state();
        look();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(entry: &Entry) -> usize {
    match &entry.payload {
        EntryPayload::Normal(Encoded(changes)) => OVERHEAD + changes.len(),
        EntryPayload::Blank | EntryPayload::Membership(_) => OVERHEAD,
    }
}

fn outcome(done: Result<Option<TxnResponse>, Error>, revision: i64) -> Outcome {
    match done {
        Ok(transaction) => Outcome { revision, transaction, failure: None },
        Err(error) => Outcome { revision, transaction: None, failure: Some(error.into()) },
    }
}

/// The machine as the library drives it. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Driven(pub(crate) Arc<Machine>);

impl Driven {
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Machine) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, StorageError> {
        let machine = Arc::clone(&self.0);
        let done = spawn_blocking(move || guarded(&machine.shared.database.file(), || work(&machine)));
        let done = done.await.map_err(|_| Error::Stopped);
        done.flatten().map_err(|error| StorageIOError::write_state_machine(AnyError::new(&error)).into())
    }
}

impl RaftSnapshotBuilder<Types> for Driven {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        self.blocking(Machine::view).await
    }
}

impl RaftStateMachine<Types> for Driven {
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<super::types::LogId>, super::types::StoredMembership), StorageError> {
        let Applied { last, membership } = self.0.state().applied.clone();
        Ok((last, membership))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Vec<Outcome>>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<_> = entries.into_iter().collect();
        self.blocking(move |machine| machine.apply_all(entries)).await
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Data>, StorageError> {
        self.blocking(|machine| Ok(Box::new(Data::Incoming(machine.begin_receiving()?)))).await
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Box<Data>) -> Result<(), StorageError> {
        let (meta, incoming) = (meta.clone(), snapshot.incoming());
        self.blocking(move |machine| machine.install(&meta, incoming?)).await
    }

    /// What is there is always a snapshot itself.
    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        let snapshot = self.blocking(Machine::view).await?;
        Ok(Some(snapshot).filter(|snapshot| snapshot.meta.last_log_id.is_some()))
    }
}
