//! The one thread of a process that works on the database. Whatever waits for it is committed together, so that many
//! publishers share one write to the disk.
use super::cleaning::{self, Waste};
use super::lease::{Lease, Settlement};
use super::metadata::Metadata;
use super::tables::{self, Found, NewMessage, Outcome, Place};
use super::wake::Bell;
use crate::SCOPE;
use crate::source::{Opened, Source};
use component_api::{Error, Kind, Outage, Result};
use rusqlite::{Connection, TransactionBehavior};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// Commands that wait; whoever asks for more waits too.
const QUEUE: usize = 1024;
/// Commands in one commit.
const TOGETHER: usize = 256;

/// Something to do on the database.
#[derive(Debug)]
pub(super) enum Command {
    Publish {
        messages: Vec<NewMessage>,
        reply: Reply<()>,
    },
    Join {
        place: Arc<Place>,
        reply: Reply<()>,
    },
    /// Writes down what became of the last messages, and takes the next ones.
    Next {
        place: Arc<Place>,
        last: Option<Settlement>,
        reply: Reply<Next>,
    },
    Settle {
        settlement: Settlement,
        reply: Option<Reply<()>>,
    },
    Renew(Settlement),
    /// Deletes some of what is not kept any more; answers what was lost by it, or none when there was nothing to delete.
    Clean {
        reply: Reply<Option<Lost>>,
    },
    Delete {
        waste: Waste,
        reply: Reply<Option<Lost>>,
    },
    Stop {
        reply: Reply<()>,
    },
}

/// Numbers of messages that somebody might still have got, with their topics.
pub(super) type Lost = Vec<(usize, String)>;

type Reply<T> = oneshot::Sender<Result<T>>;

/// What there is for a subscription.
#[derive(Debug)]
pub(super) enum Next {
    Messages(Box<Lease>),
    /// Nothing now; a known message may be taken at that time, in milliseconds since 1970.
    Nothing(Option<i64>),
}

/// Handle of the thread, which ends when all handles are gone.
#[derive(Clone, Debug)]
pub(super) struct Engine(mpsc::Sender<Command>);

impl Engine {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(super) fn start(opened: Opened, source: Arc<Source>, metadata: Metadata, bell: Bell) -> Result<Self> {
        let (sender, commands) = mpsc::channel(QUEUE);
        let back = sender.downgrade();
        let worker = Worker { opened, source, metadata, bell, back, durable: None, outage: Outage::default() };
        let thread = thread::Builder::new().name("pubsub-sqlite".to_owned());
        let started = thread.spawn(move || worker.run(commands));
        started.map_err(|error| Error::other("cannot start a thread for the database").with_source(error))?;
        Ok(Self(sender))
    }

    /// Whether [`Command::Stop`] was carried out.
    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Has a command carried out.
    ///
    /// # Errors
    /// Those of the database, or that the component is closed.
    pub(super) async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.0.send(command(reply)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| if self.is_closed() { closed() } else { broken_off() })?
    }
}

fn closed() -> Error {
    Error::other("component is closed")
}

fn broken_off() -> Error {
    Error::other("work on the database of the broker broke off")
}

struct Worker {
    opened: Opened,
    source: Arc<Source>,
    metadata: Metadata,
    bell: Bell,
    back: mpsc::WeakSender<Command>,
    /// How commits are written now; none before the first.
    durable: Option<bool>,
    outage: Outage,
}

/// Tells whoever asked, once it is known whether the commit went well.
type Announcement = Box<dyn FnOnce(Option<&rusqlite::Error>)>;

/// What a batch did.
#[derive(Default)]
struct Batch {
    announcements: Vec<Announcement>,
    /// Others should look for messages.
    news: bool,
}

impl Worker {
    fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(first) = commands.blocking_recv() {
            let mut waiting = vec![first];
            while waiting.len() < TOGETHER
                && let Ok(more) = commands.try_recv()
            {
                waiting.push(more);
            }
            let (stops, waiting): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|command| matches!(command, Command::Stop { .. }));
            // Whoever asked is told by the loss of the answer; those who come after find the thread at work.
            if catch_unwind(AssertUnwindSafe(|| self.carry_out(waiting))).is_err() {
                tracing::error!(target: SCOPE, "work on the database of the broker broke off: it panicked");
            }
            if !stops.is_empty() {
                return self.stop(commands, stops);
            }
        }
    }

    /// Closes the database before it tells so.
    fn stop(self, commands: mpsc::Receiver<Command>, stops: Vec<Command>) {
        drop(commands);
        drop(self.opened);
        for stop in stops {
            if let Command::Stop { reply } = stop {
                reply.send(Ok(())).ok();
            }
        }
    }

    fn carry_out(&mut self, commands: Vec<Command>) {
        if let Err(error) = self.follow_file() {
            self.complain(&error);
            return commands.into_iter().map(refusal).for_each(|refuse| refuse(Some(&error)));
        }
        let writing: Vec<_> = commands.into_iter().filter_map(|command| self.answer_reading(command)).collect();
        if writing.is_empty() {
            return;
        }
        let mut batch = Batch::default();
        let failed = self.commit(writing, &mut batch).err();
        match &failed {
            Some(error) => self.complain(error),
            None => drop(self.outage.worked()),
        }
        batch.announcements.into_iter().for_each(|announce| announce(failed.as_ref()));
        if batch.news {
            self.bell.ring();
        }
    }

    fn complain(&mut self, error: &rusqlite::Error) {
        if self.outage.failed() {
            tracing::warn!(target: SCOPE, "cannot write to the database of the broker: {error}");
        }
    }

    /// What would be written to a file that was deleted would be lost.
    fn follow_file(&mut self) -> rusqlite::Result<()> {
        if self.opened.is_gone() {
            self.source.replace(&mut self.opened)?;
            self.bell.follow_file(self.opened.connection.path());
            self.durable = None;
        }
        Ok(())
    }

    /// What needs no write is answered without one: others do not wait for a look at the tables.
    fn answer_reading(&self, command: Command) -> Option<Command> {
        match command {
            Command::Next { place, last: None, reply } => match tables::peek(&self.opened.connection, &place) {
                Ok(Found::Nothing(due)) => {
                    reply.send(Ok(Next::Nothing(due))).ok();
                    None
                }
                _ => Some(Command::Next { place, last: None, reply }),
            },
            Command::Clean { reply } => match cleaning::find(&self.opened.connection, &self.metadata) {
                Ok(waste) if !waste.is_empty() => Some(Command::Delete { waste, reply }),
                found => {
                    reply.send(found.map(|_| None).map_err(|error| translate(&error))).ok();
                    None
                }
            },
            other => Some(other),
        }
    }

    /// All or nothing. Published messages are on the disk when this returns; deliveries may be forgotten when the
    /// machine (not the process) fails, and messages come again then.
    fn commit(&mut self, commands: Vec<Command>, batch: &mut Batch) -> rusqlite::Result<()> {
        let durable = commands.iter().any(|command| matches!(command, Command::Publish { .. } | Command::Join { .. }));
        let prepared = self.write_durably(durable);
        let transaction = match prepared
            .and_then(|()| self.opened.connection.transaction_with_behavior(TransactionBehavior::Immediate))
        {
            Ok(transaction) => transaction,
            Err(error) => {
                batch.announcements.extend(commands.into_iter().map(refusal));
                return Err(error);
            }
        };
        let mut result = Ok(());
        for command in commands {
            if result.is_err() {
                batch.announcements.push(refusal(command));
                continue;
            }
            result = apply(&transaction, command, &self.metadata, &self.back, batch);
        }
        result?;
        transaction.commit()
    }

    fn write_durably(&mut self, durable: bool) -> rusqlite::Result<()> {
        if self.durable == Some(durable) {
            return Ok(());
        }
        self.opened.connection.pragma_update(None, "synchronous", if durable { "FULL" } else { "NORMAL" })?;
        self.durable = Some(durable);
        Ok(())
    }
}

fn apply(
    transaction: &Connection,
    command: Command,
    metadata: &Metadata,
    back: &mpsc::WeakSender<Command>,
    batch: &mut Batch,
) -> rusqlite::Result<()> {
    match command {
        Command::Publish { messages, reply } => {
            let stored = messages.iter().try_for_each(|message| tables::publish(transaction, message));
            batch.news = true;
            answer(batch, reply, stored)?;
        }
        Command::Join { place, reply } => {
            answer(batch, reply, tables::join(transaction, &place))?;
        }
        Command::Next { place, last, reply } => {
            let next = next(transaction, &place, last, metadata);
            let lease = |found| match found {
                Found::Messages(claims) => Next::Messages(Box::new(Lease::new(claims, place, back.clone()))),
                Found::Nothing(due) => Next::Nothing(due),
            };
            answer(batch, reply, next.map(lease))?;
        }
        Command::Settle { settlement, reply } => {
            batch.news = true;
            let settled = tables::settle(transaction, &settlement, metadata);
            match reply {
                Some(reply) => answer(batch, reply, settled)?,
                None => settled?,
            }
        }
        Command::Renew(settlement) => tables::renew(transaction, &settlement, metadata)?,
        Command::Delete { waste, reply } => {
            answer(batch, reply, cleaning::delete(transaction, &waste).map(|()| Some(waste.lost())))?;
        }
        Command::Clean { reply } => answer(batch, reply, Ok(None))?,
        Command::Stop { reply } => answer(batch, reply, Ok(()))?,
    }
    Ok(())
}

fn next(
    transaction: &Connection,
    place: &Place,
    last: Option<Settlement>,
    metadata: &Metadata,
) -> rusqlite::Result<Found> {
    if let Some(last) = last {
        tables::settle(transaction, &last, metadata)?;
    }
    tables::claim(transaction, place, metadata)
}

/// Keeps the answer until the commit; a failure here is the whole batch's.
fn answer<T: 'static>(batch: &mut Batch, reply: Reply<T>, result: rusqlite::Result<T>) -> rusqlite::Result<()> {
    let (value, failed) = match result {
        Ok(value) => (Some(value), None),
        Err(error) => (None, Some(error)),
    };
    batch.announcements.push(Box::new(move |failure| {
        let answer = match (failure, value) {
            (None, Some(value)) => Ok(value),
            (failure, _) => Err(failure.map_or_else(closed, translate)),
        };
        reply.send(answer).ok();
    }));
    failed.map_or(Ok(()), Err)
}

/// The announcement of a command that was not carried out because another one failed.
fn refusal(command: Command) -> Announcement {
    Box::new(move |failure| {
        let error = failure.map_or_else(closed, translate);
        match command {
            Command::Publish { reply, .. }
            | Command::Join { reply, .. }
            | Command::Stop { reply }
            | Command::Settle { reply: Some(reply), .. } => drop(reply.send(Err(error))),
            Command::Next { reply, .. } => drop(reply.send(Err(error))),
            Command::Clean { reply } | Command::Delete { reply, .. } => drop(reply.send(Err(error))),
            Command::Settle { reply: None, .. } | Command::Renew(_) => {}
        }
    })
}

/// A database that is busy or out of reach for now may work later.
pub(super) fn translate(error: &rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly};
    let kind = match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked | DiskFull) => Kind::Unavailable,
        Some(CannotOpen | ReadOnly) => Kind::Denied,
        _ => Kind::Other,
    };
    Error::new(kind, format!("the database of the broker: {error}"))
}

impl Outcome {
    /// What a verdict means for the tables.
    pub(super) fn of(verdict: component_api::pubsub::Verdict) -> Self {
        match verdict {
            component_api::pubsub::Verdict::Retry => Self::Failed,
            component_api::pubsub::Verdict::Ack | component_api::pubsub::Verdict::Drop => Self::Done,
        }
    }
}
