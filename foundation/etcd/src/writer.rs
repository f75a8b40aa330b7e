//! The one task that writes: what waits is committed together, so that many callers share one wait for the disk.
use crate::Error;
use crate::database::{Database, Numbers};
use crate::execution::Execution;
use crate::history::History;
use crate::leases::Leases;
use crate::quota::Quota;
use foundation_drain::Drain;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use wire::etcd::etcdserverpb::{TxnRequest, TxnResponse};
use wire::etcd::mvccpb::Event;

const SCOPE: &str = "dapr.scheduler.server.etcd";
/// Commands that wait; more callers wait themselves.
const WAITING: usize = 8192;
/// Commands of one commit, each transaction counted.
const TOGETHER: usize = 4096;

/// Something to write. The answer is what it has come to and the revision after it.
pub(crate) enum Command {
    Transact(TxnRequest, Reply<TxnResponse>),
    /// One after the other, each by itself. Whoever asks wants to know no more than whether comparisons held: what is allocated here and freed
    /// elsewhere takes its time.
    TransactAll(Vec<TxnRequest>, Reply<Vec<Held>>),
    EndLease(i64, Reply<()>),
    /// There is space again.
    EndAlarm(Reply<()>),
    Defragment(Reply<()>),
    Stop(Reply<()>),
}

/// Whether the comparisons of a transaction held.
pub(crate) type Held = Result<bool, Error>;

pub(crate) type Reply<T> = oneshot::Sender<Result<(T, i64), Error>>;

/// What the writer shares with readers.
pub(crate) struct Shared {
    pub(crate) database: Database,
    pub(crate) history: Mutex<History>,
    pub(crate) leases: Leases,
    /// The numbers of the last commit. Watchers wait for them to change.
    pub(crate) numbers: watch::Sender<Numbers>,
}

impl Shared {
    /// Shows readers and watchers what a commit has left.
    pub(crate) fn publish(&self, numbers: Numbers, events: Vec<Event>) {
        self.database.committed();
        if !events.is_empty() {
            let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
            history.add(events, numbers.revision);
        }
        self.numbers.send_if_modified(|known| std::mem::replace(known, numbers) != numbers);
    }
}

struct Writer {
    shared: Arc<Shared>,
    quota: Quota,
    /// A failure has made the file unusable.
    is_broken: bool,
}

/// Starts the task. It ends when it is told to, or when nobody can tell it anything any more.
pub(crate) fn start(shared: Arc<Shared>, quota: Quota, drain: &Drain) -> mpsc::Sender<Command> {
    let (commands, mut received) = mpsc::channel(WAITING);
    let mut writer = Writer { shared, quota, is_broken: false };
    drain.spawn(async move {
        while let Some(command) = received.recv().await {
            let turn = spawn_blocking(move || (writer.take_all(command, &mut received), writer, received));
            match turn.await {
                Ok((true, after, waiting)) => (writer, received) = (after, waiting),
                Ok((false, ..)) | Err(_) => return,
            }
        }
    });
    commands
}

impl Writer {
    /// Carries out a command, and what comes until there is nothing left to do. Returns whether to go on.
    fn take_all(&mut self, first: Command, received: &mut mpsc::Receiver<Command>) -> bool {
        let mut next = Some(first);
        while let Some(command) = next {
            if !self.take(command, received) {
                return false;
            }
            next = received.try_recv().ok();
        }
        true
    }

    /// Carries out a command, and those that wait. Returns whether to go on.
    fn take(&mut self, first: Command, received: &mut mpsc::Receiver<Command>) -> bool {
        let mut next = Some(first);
        while let Some(command) = next.take() {
            match command {
                Command::Defragment(reply) => self.defragment(reply),
                Command::Stop(reply) => {
                    reply.send(Ok(((), self.shared.numbers.borrow().revision))).ok();
                    return false;
                }
                command => {
                    let (batch, left) = gather(command, received);
                    self.commit(batch);
                    next = left;
                }
            }
        }
        true
    }

    fn defragment(&mut self, reply: Reply<()>) {
        let done = self.repair().and_then(|()| self.shared.database.defragment());
        if let Err(error) = &done {
            tracing::error!(target: SCOPE, "cannot defragment: {error}");
        }
        reply.send(done.map(|()| ((), self.shared.numbers.borrow().revision))).ok();
    }

    fn commit(&mut self, batch: Vec<Command>) {
        let written = self.repair().and_then(|()| self.write(batch));
        match written {
            Ok(()) => {}
            Err(error) => {
                tracing::error!(target: SCOPE, "cannot write: {error}");
                self.is_broken = true;
            }
        }
    }

    /// Writes a batch and answers. When it fails all are told so.
    fn write(&self, batch: Vec<Command>) -> Result<(), Error> {
        let mut done = Vec::with_capacity(batch.len());
        let executed = self.execute(batch, &mut done);
        let failure = executed.map(|(numbers, events)| self.shared.publish(numbers, events)).err();
        done.into_iter().for_each(|done| done.answer(failure.as_ref()));
        failure.map_or(Ok(()), Err)
    }

    fn execute(&self, batch: Vec<Command>, done: &mut Vec<Done>) -> Result<(Numbers, Vec<Event>), Error> {
        let before = *self.shared.numbers.borrow();
        let writing =
            self.shared.database.current().and_then(|database| database.begin_write().map_err(Error::storage));
        let writing = match writing {
            Ok(writing) => writing,
            Err(error) => {
                done.extend(batch.into_iter().map(|command| Done::failed(command, &error)));
                return Err(error);
            }
        };
        let executed = Execution::new(&writing, before, self.quota).and_then(|mut execution| {
            let mut failure = None;
            for command in batch {
                if let Some(error) = &failure {
                    done.push(Done::failed(command, error));
                    continue;
                }
                let carried_out = Done::carry_out(command, &mut execution, &self.shared.leases);
                failure = carried_out.storage_error();
                done.push(carried_out);
            }
            failure.map_or(Ok((execution.numbers, execution.events)), Err)
        });
        let (numbers, events) = executed?;
        if numbers != before {
            numbers.write(&writing)?;
            writing.commit().map_err(Error::storage)?;
        }
        Ok((numbers, events))
    }

    /// Opens the file again after a failure. A commit that failed may have reached the disk all the same.
    fn repair(&mut self) -> Result<(), Error> {
        if !self.is_broken {
            return Ok(());
        }
        let numbers = self.shared.database.reopen()?;
        let mut history = self.shared.history.lock().unwrap_or_else(PoisonError::into_inner);
        if history.revision() != numbers.revision {
            history.restart(numbers.revision);
        }
        drop(history);
        self.shared.numbers.send_replace(numbers);
        self.is_broken = false;
        Ok(())
    }
}

/// Commands that can be committed together, and the one behind them that cannot.
fn gather(first: Command, received: &mut mpsc::Receiver<Command>) -> (Vec<Command>, Option<Command>) {
    let mut weight = first.weight();
    let mut batch = vec![first];
    while weight < TOGETHER {
        match received.try_recv() {
            Ok(command @ (Command::Defragment(_) | Command::Stop(_))) => return (batch, Some(command)),
            Ok(command) => {
                weight += command.weight();
                batch.push(command);
            }
            Err(_) => break,
        }
    }
    (batch, None)
}

impl Command {
    fn weight(&self) -> usize {
        match self {
            Self::TransactAll(requests, _) => requests.len(),
            _ => 1,
        }
    }
}

/// A command that has been carried out, and is not yet durable.
enum Done {
    Transaction(Reply<TxnResponse>, Result<(TxnResponse, i64), Error>),
    Transactions(Reply<Vec<Held>>, Result<(Vec<Held>, i64), Error>),
    Other(Reply<()>, Result<((), i64), Error>),
}

impl Done {
    fn carry_out(command: Command, execution: &mut Execution<'_>, leases: &Leases) -> Self {
        match command {
            Command::Transact(request, reply) => {
                let response = execution.transact(&request, leases);
                Self::Transaction(reply, response.map(|response| (response, execution.numbers.revision)))
            }
            Command::TransactAll(requests, reply) => {
                Self::Transactions(reply, transact_all(&requests, execution, leases))
            }
            Command::EndLease(id, reply) => {
                let ended = if leases.end(id) { execution.end_lease(Some(id)) } else { Err(Error::LeaseNotFound) };
                Self::Other(reply, ended.map(|()| ((), execution.numbers.revision)))
            }
            Command::EndAlarm(reply) => {
                execution.numbers.no_space = false;
                Self::Other(reply, Ok(((), execution.numbers.revision)))
            }
            Command::Defragment(reply) | Command::Stop(reply) => Self::Other(reply, Err(Error::Stopped)),
        }
    }

    fn failed(command: Command, error: &Error) -> Self {
        match command {
            Command::Transact(_, reply) => Self::Transaction(reply, Err(error.clone())),
            Command::TransactAll(_, reply) => Self::Transactions(reply, Err(error.clone())),
            Command::EndLease(_, reply)
            | Command::EndAlarm(reply)
            | Command::Defragment(reply)
            | Command::Stop(reply) => Self::Other(reply, Err(error.clone())),
        }
    }

    fn storage_error(&self) -> Option<Error> {
        match self {
            Self::Transaction(_, Err(error @ Error::Storage(_)))
            | Self::Transactions(_, Err(error @ Error::Storage(_)))
            | Self::Other(_, Err(error @ Error::Storage(_))) => Some(error.clone()),
            _ => None,
        }
    }

    fn answer(self, failure: Option<&Error>) {
        let failed = failure.cloned().map_or(Ok(()), Err);
        match self {
            Self::Transaction(reply, result) => drop(reply.send(failed.and(result))),
            Self::Transactions(reply, result) => drop(reply.send(failed.and(result))),
            Self::Other(reply, result) => drop(reply.send(failed.and(result))),
        }
    }
}

/// # Errors
/// A file that cannot be written: nothing of all this counts then.
fn transact_all(
    requests: &[TxnRequest],
    execution: &mut Execution<'_>,
    leases: &Leases,
) -> Result<(Vec<Held>, i64), Error> {
    let mut done = Vec::with_capacity(requests.len());
    for request in requests {
        done.push(match execution.transact(request, leases) {
            Ok(response) => Ok(response.succeeded),
            Err(error @ Error::Storage(_)) => return Err(error),
            Err(error) => Err(error),
        });
    }
    Ok((done, execution.numbers.revision))
}
