//! A database with one thread that writes and a few connections that read.
//!
//! Whatever waits to be written is committed together, each piece by itself in a savepoint: many writers share one write to
//! the disk, and a failed one takes nothing along.
use crate::metadata::ConnectionMetadata;
use crate::migrations::Migrations;
use crate::source::{Opened, Source, is_busy};
use component_api::{Error, Kind, Result};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::spawn_blocking;

/// Writes that wait; whoever has more waits too.
const QUEUE: usize = 1024;
/// Writes in one commit.
const TOGETHER: usize = 256;
/// Connections that read.
const READERS: usize = 4;

/// Why work on the database failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Database(rusqlite::Error),
    Refused(Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Database(error) => translate(&error),
            Failure::Refused(error) => error,
        }
    }
}

/// What work on the database comes to.
pub(crate) type Outcome<T> = std::result::Result<T, Failure>;

/// An open database. Dropping it closes it in the background.
#[derive(Debug)]
pub(crate) struct Database {
    writer: mpsc::Sender<Command>,
    /// None for a database in memory, which has one connection.
    readers: Option<Arc<Readers>>,
    timeout: Duration,
}

impl Database {
    /// Opens a database and brings its tables up to date.
    ///
    /// # Errors
    /// The file cannot be opened or is no database, or others have it locked longer than the timeout.
    pub(crate) async fn open(metadata: ConnectionMetadata, migrations: Migrations) -> Result<Self> {
        let timeout = metadata.timeout.0;
        let source = Arc::new(Source::new(metadata, migrations)?);
        let opening = Arc::clone(&source);
        let opened = spawn_blocking(move || opening.open()).await.map_err(broken_off)?;
        let writer = start(opened.map_err(|error| translate(&error))?, Arc::clone(&source))?;
        let readers = (!source.is_in_memory())
            .then(|| Arc::new(Readers { idle: Mutex::default(), permits: Arc::new(Semaphore::new(READERS)), source }));
        Ok(Self { writer, readers, timeout })
    }

    /// Does work that writes, all of it or nothing; returns when it is on the disk.
    ///
    /// # Errors
    /// Those of the work and of the database, or that it took too long.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Asked { work: Some(work), answer: None, reply });
        let written = async {
            self.writer.send(Command::Write(job)).await.map_err(|_| closed())?;
            answer.await.map_err(|_| closed())?
        };
        tokio::time::timeout(self.timeout, written).await.unwrap_or_else(|_| Err(late()))
    }

    /// Does work that only reads, beside what is being written.
    ///
    /// # Errors
    /// Those of the work and of the database, or that it took too long.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        let Some(readers) = &self.readers else { return self.write(work).await };
        let read = Arc::clone(readers).read(work);
        tokio::time::timeout(self.timeout, read).await.unwrap_or_else(|_| Err(late()))
    }

    /// Closes the database after what waits is written; later calls fail.
    pub(crate) async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        if let Some(readers) = &self.readers {
            readers.permits.close();
            readers.idle().clear();
        }
        if self.writer.send(Command::Stop(reply)).await.is_ok() {
            closed.await.ok();
        }
    }
}

/// Connections that nobody uses at the moment, and permits to use one.
#[derive(Debug)]
struct Readers {
    idle: Mutex<Vec<Opened>>,
    permits: Arc<Semaphore>,
    source: Arc<Source>,
}

impl Readers {
    async fn read<T, F>(self: Arc<Self>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| closed())?;
        let done = spawn_blocking(move || {
            let opened = self.take()?;
            let outcome = work(&opened.connection);
            self.idle().push(opened);
            drop(permit);
            outcome
        });
        Ok(done.await.map_err(broken_off)??)
    }

    fn take(&self) -> rusqlite::Result<Opened> {
        let Some(mut idle) = self.idle().pop() else { return self.open() };
        if idle.is_gone() {
            // The others are gone too. The tables are made as at the start, since nobody may write for a long time.
            self.idle().clear();
            self.source.replace(&mut idle)?;
            return self.source.open_for_reading();
        }
        Ok(idle)
    }

    /// A file that is gone is made as at the start.
    fn open(&self) -> rusqlite::Result<Opened> {
        self.source.open_for_reading().or_else(|_| {
            self.source.open()?;
            self.source.open_for_reading()
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Opened>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something for the thread that writes.
enum Command {
    Write(Box<dyn Job>),
    Stop(oneshot::Sender<()>),
}

/// Work whose answer is kept until it is committed.
trait Job: Send {
    /// Does the work; an error when it is to be undone.
    fn run(&mut self, connection: &Connection) -> Result<()>;
    /// Tells whoever asked, given why nothing was committed, if it was not. The work's own error comes first.
    fn finish(self: Box<Self>, failure: Option<&Error>);
}

struct Asked<T, F> {
    work: Option<F>,
    answer: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Asked<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Outcome<T> + Send,
{
    fn run(&mut self, connection: &Connection) -> Result<()> {
        // A panic is the trouble of whoever asked, not of all who come after.
        let attempt = |work: F| catch_unwind(AssertUnwindSafe(|| work(connection)));
        let done = self.work.take().map(attempt);
        let answer = done.map_or_else(
            || Err(closed()),
            |done| done.map_or_else(|_| Err(panicked()), |outcome| outcome.map_err(Error::from)),
        );
        let said = answer.as_ref().map(drop).map_err(Error::clone);
        self.answer = Some(answer);
        said
    }

    fn finish(self: Box<Self>, failure: Option<&Error>) {
        let answer = match (failure, self.answer) {
            (Some(failure), Some(Ok(_)) | None) => Err(failure.clone()),
            (_, answer) => answer.unwrap_or_else(|| Err(closed())),
        };
        // Whoever asked may have gone.
        self.reply.send(answer).ok();
    }
}

fn start(opened: Opened, source: Arc<Source>) -> Result<mpsc::Sender<Command>> {
    let (sender, commands) = mpsc::channel(QUEUE);
    let thread = thread::Builder::new().name("sqlite-writer".to_owned());
    let started = thread.spawn(move || run(opened, &source, commands));
    started.map_err(|error| Error::other("cannot start a thread for the database").with_source(error))?;
    Ok(sender)
}

fn run(mut opened: Opened, source: &Source, mut commands: mpsc::Receiver<Command>) {
    let mut stop = None;
    while let Some(first) = commands.blocking_recv() {
        let mut jobs = Vec::new();
        let more = std::iter::from_fn(|| commands.try_recv().ok());
        for command in std::iter::once(first).chain(more.take(TOGETHER - 1)) {
            match command {
                Command::Write(job) => jobs.push(job),
                Command::Stop(reply) => stop = Some(reply),
            }
        }
        let failure = commit(&mut opened, source, &mut jobs).err();
        jobs.into_iter().for_each(|job| job.finish(failure.as_ref()));
        if stop.is_some() {
            break;
        }
    }
    drop((opened, commands));
    if let Some(reply) = stop {
        reply.send(()).ok();
    }
}

fn commit(opened: &mut Opened, source: &Source, jobs: &mut [Box<dyn Job>]) -> Result<()> {
    if opened.is_gone() {
        source.replace(opened).map_err(|error| translate(&error))?;
    }
    let transaction = opened.connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let mut transaction = transaction.map_err(|error| translate(&error))?;
    let ended = match jobs {
        [] => return Ok(()),
        [only] => match only.run(&transaction) {
            Ok(()) => transaction.commit(),
            Err(_) => undo(transaction),
        },
        jobs => {
            jobs.iter_mut().try_for_each(|job| apart(&mut transaction, job.as_mut()))?;
            transaction.commit()
        }
    };
    ended.map_err(|error| translate(&error))
}

/// SQLite rolls back by itself when the disk is full, and a second time is an error.
fn undo(transaction: Transaction<'_>) -> rusqlite::Result<()> {
    if transaction.is_autocommit() { Ok(()) } else { transaction.rollback() }
}

/// The error of a job that has taken all others with it is theirs too.
fn apart(transaction: &mut Transaction<'_>, job: &mut dyn Job) -> Result<()> {
    let mut savepoint = transaction.savepoint().map_err(|error| translate(&error))?;
    let done = job.run(&savepoint);
    if savepoint.is_autocommit() {
        return done;
    }
    let undone = done.or_else(|_| savepoint.rollback());
    undone.and_then(|()| savepoint.commit()).map_err(|error| translate(&error))
}

/// A database that is busy or out of reach for now may work later.
fn translate(error: &rusqlite::Error) -> Error {
    use ErrorCode::{CannotOpen, DiskFull, ReadOnly};
    let kind = match error.sqlite_error_code() {
        _ if is_busy(error) => Kind::Unavailable,
        Some(DiskFull) => Kind::Unavailable,
        Some(CannotOpen | ReadOnly) => Kind::Denied,
        _ => Kind::Other,
    };
    Error::new(kind, error.to_string())
}

fn broken_off(error: tokio::task::JoinError) -> Error {
    Error::other("work on the database broke off").with_source(error)
}

fn panicked() -> Error {
    Error::other("work on the database broke off: it panicked, see the log")
}

fn closed() -> Error {
    Error::other("component is closed")
}

fn late() -> Error {
    Error::new(Kind::Timeout, "the database did not answer in time; check the disk, or raise the metadata timeout")
}

#[cfg(test)]
mod tests;
