//! The one task that writes: what waits is committed together, so that many callers share one wait for the disk.
//!
//! After a failure the file is opened again, at once and then until that succeeds: nobody else would, as long as nobody writes.
mod done;

use crate::Error;
use crate::damage::guarded;
use crate::database::{Database, Numbers, Snapshot};
use crate::execution::Execution;
use crate::health::Health;
use crate::history::History;
use crate::leases::Leases;
use crate::quota::Quota;
use crate::reserve::Reserve;
use crate::watcher::history;
use crate::watches::News;
use done::Done;
use foundation_drain::Drain;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use wire::etcd::etcdserverpb::request_op::Request;
use wire::etcd::etcdserverpb::{TxnRequest, TxnResponse};
use wire::etcd::mvccpb::Event;

const SCOPE: &str = "dapr.scheduler.server.etcd";
/// Commands that wait; more callers wait themselves.
const WAITING: usize = 8192;
/// Commands of one commit, each transaction counted.
const TOGETHER: usize = 4096;
/// Before a file that cannot be opened again is tried once more: from the first pause, by twice as much, to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// Batches after which a disk that was full counts as one that is not.
const TIGHT: u32 = 1000;

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
    pub(crate) health: Health,
    /// The numbers of the last commit.
    pub(crate) numbers: watch::Sender<Numbers>,
}

impl Shared {
    /// Looks at the records as the last commit has left them.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Snapshot) -> Result<T, Error>) -> Result<T, Error> {
        let read = guarded(&self.database.file(), || look(&*self.database.snapshot()?));
        self.health.hear(read)
    }

    /// Shows readers and watchers what a commit has left.
    pub(crate) fn publish(&self, numbers: Numbers, events: Vec<Event>) {
        self.database.committed();
        let news = if events.is_empty() { News::new() } else { history(self).add(events, numbers.revision) };
        self.show(numbers, &news);
    }

    /// The same, where what led to it is unknown.
    pub(crate) fn publish_anew(&self, numbers: Numbers) {
        let news = history(self).restart(numbers.revision);
        self.show(numbers, &news);
    }

    /// Whoever watches is told when the numbers are there.
    fn show(&self, numbers: Numbers, news: &News) {
        self.numbers.send_replace(numbers);
        news.iter().for_each(|watch| watch.notify_one());
    }
}

struct Writer {
    shared: Arc<Shared>,
    quota: Quota,
    /// A failure has made the file unusable; the pause before it is opened again.
    broken: Option<Duration>,
    reserve: Reserve,
    /// How many batches are still written as on a full disk: it was full a while ago, or has no space for the reserve.
    tight: u32,
    /// It is damaged, and the process ends.
    is_lost: bool,
}

/// What there is to do.
enum Task {
    Carry(Command),
    /// The file could not be opened again, or somebody could not read it.
    Repair,
}

/// Starts the task. It ends when it is told to, or when nobody can tell it anything any more.
pub(crate) fn start(shared: Arc<Shared>, quota: Quota, drain: &Drain) -> mpsc::Sender<Command> {
    let (commands, mut received) = mpsc::channel(WAITING);
    let reserve = Reserve::of(shared.database.folder());
    let mut writer = Writer { shared, quota, broken: None, reserve, tight: 1, is_lost: false };
    let failing = drain.clone();
    drain.spawn(async move {
        while let Some(task) = writer.next(&mut received).await {
            let turn = spawn_blocking(move || (writer.take_turn(task, &mut received), writer, received));
            match turn.await {
                Ok((true, after, waiting)) => (writer, received) = (after, waiting),
                Ok((false, ..)) => return,
                Err(_) => return failing.fail("the store can write no more: an internal error has ended its task"),
            }
        }
    });
    commands
}

impl Writer {
    async fn next(&self, received: &mut mpsc::Receiver<Command>) -> Option<Task> {
        tokio::select! {
            command = received.recv() => command.map(Task::Carry),
            () = self.repair_is_due() => Some(Task::Repair),
        }
    }

    async fn repair_is_due(&self) {
        match self.broken {
            Some(pause) => sleep(pause).await,
            None => self.shared.health.ailing().await,
        }
    }

    /// Returns whether to go on.
    fn take_turn(&mut self, task: Task, received: &mut mpsc::Receiver<Command>) -> bool {
        let goes_on = match task {
            Task::Carry(command) => self.take_all(command, received),
            Task::Repair => {
                self.look_after();
                true
            }
        };
        goes_on && !self.is_lost
    }

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
                    self.commit_in_space(batch);
                    next = left;
                }
            }
        }
        true
    }

    fn defragment(&mut self, reply: Reply<()>) {
        let shared = Arc::clone(&self.shared);
        let done = self.repair().and_then(|()| guarded(&shared.database.file(), || shared.database.defragment()));
        if let Err(error) = &done {
            self.is_lost |= self.shared.health.is_lost(error);
            tracing::error!(target: SCOPE, "cannot defragment: {error}");
        }
        reply.send(done.map(|()| ((), self.shared.numbers.borrow().revision))).ok();
    }

    /// On a full disk, what frees space has that of the reserve, and has it first; nothing else does.
    fn commit_in_space(&mut self, batch: Vec<Command>) {
        if self.tight == 0 {
            return self.commit(batch);
        }
        self.tight -= 1;
        let (freeing, others): (Vec<_>, Vec<_>) = batch.into_iter().partition(Command::frees);
        if !freeing.is_empty() {
            self.reserve.give_up();
            self.commit(freeing);
        }
        if !self.reserve.keep() {
            self.tight = TIGHT;
        }
        if !others.is_empty() {
            self.commit(others);
        }
    }

    fn commit(&mut self, batch: Vec<Command>) {
        if let Err(error) = self.repair() {
            batch.into_iter().for_each(|command| Done::failed(command, &error).answer(None));
            return self.postpone(&error);
        }
        if let Err(error) = self.write(batch) {
            tracing::error!(target: SCOPE, "cannot write: {error}");
            self.is_lost |= self.shared.health.is_lost(&error);
            self.broken = Some(FIRST_PAUSE);
            if matches!(error, Error::Full(_)) {
                self.tight = TIGHT;
            }
            self.look_after();
        }
    }

    /// Opens the file again if it cannot be used, or says when to try once more.
    fn look_after(&mut self) {
        if self.is_lost || (self.broken.is_none() && self.shared.database.is_usable()) {
            return;
        }
        self.broken.get_or_insert(FIRST_PAUSE);
        match self.repair() {
            Ok(()) => tracing::info!(target: SCOPE, "the database file is open again after a failure"),
            Err(error) => self.postpone(&error),
        }
    }

    fn postpone(&mut self, error: &Error) {
        tracing::error!(target: SCOPE, "cannot open the database file again: {error}");
        self.is_lost |= self.shared.health.is_lost(error);
        self.broken = self.broken.map(|pause| (2 * pause).min(LAST_PAUSE));
    }

    /// Writes a batch and answers. When it fails all are told so.
    fn write(&self, batch: Vec<Command>) -> Result<(), Error> {
        let mut done = Vec::with_capacity(batch.len());
        let executed = guarded(&self.shared.database.file(), || self.execute(batch, &mut done));
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
        if self.broken.is_none() {
            return Ok(());
        }
        let database = &self.shared.database;
        let numbers = guarded(&database.file(), || database.reopen())?;
        let is_known = history(&self.shared).revision() == numbers.revision;
        if is_known {
            self.shared.publish(numbers, Vec::new())
        } else {
            self.shared.publish_anew(numbers)
        }
        self.broken = None;
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

    /// Whether it takes no space: it deletes, or tells how far jobs are that are there.
    fn frees(&self) -> bool {
        match self {
            Self::Transact(request, _) => only_deletes(request),
            _ => true,
        }
    }
}

fn only_deletes(request: &TxnRequest) -> bool {
    request.success.iter().chain(&request.failure).all(|operation| match &operation.request {
        Some(Request::RequestPut(_)) => false,
        Some(Request::RequestTxn(inner)) => only_deletes(inner),
        _ => true,
    })
}
