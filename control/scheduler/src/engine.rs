//! Runs the jobs of this scheduler while the schedulers agree (protocols.md 3.3, 3.4).
//!
//! One task owns the [`Agenda`]. What it has to read or write goes on beside it, many jobs at once, and comes back as [`Done`]. A trigger
//! counts as done only when that is written, so that after a failure it comes again rather than not at all.
mod congestion;
mod flights;
mod held;
mod load;
mod outcomes;
mod work;

use crate::agenda::{Agenda, Due};
use crate::clock::Clock;
use crate::job::{Damaged, plan, progress};
use crate::keyspace::{Keyspace, job_name};
use crate::leadership::Elected;
use crate::metrics::Metrics;
use crate::plan::Progress;
use crate::pool::{Pool, Recipient};
use congestion::Congestion;
use flights::Flights;
use foundation_drain::Drain;
use foundation_etcd::{Changes, Error, Watching};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use held::Held;
use jiff::Timestamp;
use prost::Message;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use wire::etcd::cron::{Counter, StoredJob};
use wire::etcd::mvccpb::event::EventType;
use wire::etcd::mvccpb::{Event, KeyValue};
use work::Found;

const SCOPE: &str = "dapr.scheduler.server.cron";
/// Before another try when etcd cannot be used.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the age of what nobody takes is told.
const LOOK: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);
/// Jobs that are begun together, and outcomes that are taken together, before anything else is looked at.
const AT_ONCE: usize = 256;
/// Outcomes that wait to be written before more jobs are started: sidecars may be quicker than the disk.
const UNWRITTEN: usize = 4096;
/// Bytes of jobs that are read at once, and a little more: a large one is begun when others are read.
const READING: usize = 32 << 20;
/// How long outcomes may take to be written when the scheduler ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// What an engine works with.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) keyspace: Keyspace,
    pub(crate) pool: Pool,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<dyn Clock>,
    /// Jobs that are read at once.
    pub(crate) workers: usize,
}

/// Something that went on beside the engine.
enum Done {
    /// Jobs that are due have been read.
    Read(Vec<Due>, Result<Vec<Option<Found>>, Error>),
    /// What has become of jobs is written; or not, and then it is tried again.
    Written(Vec<Writing>, Result<Vec<Result<bool, Error>>, Error>),
}

/// What is to be written of a job.
struct Writing {
    due: Due,
    partition: u64,
    progress: Progress,
    /// The next attempt; none when the job is done.
    next: Option<Timestamp>,
}

struct Engine {
    parts: Parts,
    elected: Elected,
    agenda: Agenda,
    congestion: Congestion,
    held: Held,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Jobs that are being read, and their bytes.
    reading: usize,
    reading_bytes: usize,
    flights: Flights,
    /// Outcomes that are to be written with what else comes now.
    unwritten: Vec<Writing>,
    /// All outcomes that are not written yet.
    writing: usize,
    /// Jobs whose outcome could not be written, by when they were due: they stand still until it can be.
    unwritable: BTreeSet<(Timestamp, Arc<str>)>,
}

/// Starts the task that runs an engine whenever the schedulers agree. Returns whether one runs now.
pub(crate) fn start(parts: Parts, agreed: watch::Receiver<Option<Elected>>, drain: &Drain) -> watch::Receiver<bool> {
    let (running, is_running) = watch::channel(false);
    drain.spawn(follow(parts, agreed, running, drain.clone()));
    is_running
}

/// Runs an engine whenever the schedulers agree, until the drain stops.
pub(crate) async fn follow(
    parts: Parts,
    mut agreed: watch::Receiver<Option<Elected>>,
    running: watch::Sender<bool>,
    stopping: Drain,
) {
    loop {
        let elected = tokio::select! {
            elected = agreed.wait_for(Option::is_some) => elected.ok().and_then(|elected| elected.clone()),
            () = stopping.stopped() => None,
        };
        let Some(elected) = elected else { return };
        let ended = run(&parts, elected, &mut agreed, &running, &stopping).await;
        running.send_replace(false);
        if let Err(error) = ended {
            tracing::warn!(target: SCOPE, "jobs are loaded again: {error}");
            tokio::select! { () = tokio::time::sleep(PAUSE) => {}, () = stopping.stopped() => return }
        }
    }
}

/// Runs until the schedulers agree on something else, etcd cannot be followed any more, or the drain stops.
async fn run(
    parts: &Parts,
    elected: Elected,
    agreed: &mut watch::Receiver<Option<Elected>>,
    running: &watch::Sender<bool>,
    stopping: &Drain,
) -> Result<(), Error> {
    let mut engine = Engine {
        parts: parts.clone(),
        elected: elected.clone(),
        agenda: Agenda::default(),
        congestion: Congestion::default(),
        held: Held::default(),
        work: FuturesUnordered::new(),
        reading: 0,
        reading_bytes: 0,
        flights: Flights::default(),
        unwritten: Vec::new(),
        writing: 0,
        unwritable: BTreeSet::new(),
    };
    let ended = tokio::select! {
        ended = engine.serve(running) => ended,
        changed = agreed.wait_for(|now| now.as_ref() != Some(&elected)) => changed.map(drop).or(Ok(())),
        () = stopping.stopped() => Ok(()),
    };
    engine.flights.recall_all();
    timeout(FAREWELL, engine.finish()).await.ok();
    ended
}

impl Engine {
    async fn serve(&mut self, running: &watch::Sender<bool>) -> Result<(), Error> {
        let mut watching = self.load().await?;
        tracing::info!(target: SCOPE, "cron is ready, jobs={}", self.agenda.len());
        running.send_replace(true);
        loop {
            self.write_all();
            self.turn(&mut watching).await?;
            self.start_due();
            self.show_overdue();
        }
    }

    fn show_overdue(&self) {
        let unwritable = self.unwritable.first().map(|(at, _)| *at);
        let since = [self.agenda.staged_since(), self.held.since(), unwritable].into_iter().flatten().min();
        let age = since.map(|since| self.parts.clock.now().duration_since(since));
        let count = self.agenda.staged() + self.held.len() + self.unwritable.len();
        self.parts.metrics.overdue(count, age.unwrap_or_default());
    }

    /// Waits for something to happen, and takes note of it.
    async fn turn(&mut self, watching: &mut Watching) -> Result<(), Error> {
        let look = self.agenda.staged_since().and_then(|_| self.parts.clock.now().checked_add(LOOK).ok());
        // Many jobs that are due at once are begun as others have been read, and as outcomes are written.
        let due = [self.agenda.next_at(), self.congestion.next(), self.held.next()].into_iter().flatten().min();
        let next = [due.filter(|_| !self.is_full()), look].into_iter().flatten().min();
        let sleep = self.parts.clock.until(next);
        tokio::select! {
            changes = watching.next() => self.take_changes(changes?),
            Some(done) = self.work.next() => {
                // What was deleted while it was read is not offered.
                self.take_known_changes(watching)?;
                self.take_all(done);
            }
            landed = self.flights.land(AT_ONCE) => landed.into_iter().for_each(|landed| self.take_outcome(landed)),
            prefixes = self.parts.pool.connected() => prefixes.iter().for_each(|prefix| self.agenda.deliverable(prefix)),
            () = sleep => {}
        }
        Ok(())
    }

    /// No more jobs are begun.
    fn is_full(&self) -> bool {
        self.reading >= self.parts.workers || self.reading_bytes >= READING || self.writing >= UNWRITTEN
    }

    /// Takes what has come to an end, and what else has: to wait for each by itself costs more than to take it.
    fn take_all(&mut self, done: Done) {
        self.take(done);
        for _ in 1..AT_ONCE {
            let Some(Some(done)) = self.work.next().now_or_never() else { return };
            self.take(done);
        }
    }

    fn take_known_changes(&mut self, watching: &mut Watching) -> Result<(), Error> {
        for _ in 0..AT_ONCE {
            let Some(changes) = watching.next().now_or_never() else { break };
            self.take_changes(changes?);
        }
        Ok(())
    }

    fn take_changes(&mut self, changes: Changes) {
        for event in changes.events {
            self.take_change(event);
        }
    }

    fn take_change(&mut self, event: Event) {
        let is_put = event.r#type() == EventType::Put;
        let Some(kv) = event.kv else { return };
        let Some(name) = job_name(&kv.key) else { return };
        if self.agenda.is_of_since(name, kv.mod_revision) {
            return;
        }
        self.flights.recall(name);
        if is_put {
            // A job that was written just now has a partition of its own, that no counter is of.
            self.add(name, &kv, None);
        } else {
            self.agenda.remove(name);
        }
    }

    /// Adds a job as it is stored, unless it is another scheduler's.
    fn add(&mut self, name: &str, kv: &KeyValue, counter: Option<&Counter>) {
        self.agenda.remove(name);
        let stored = StoredJob::decode(&kv.value[..]).map_err(Damaged::from);
        let planned = stored.and_then(|stored| Ok((plan(&stored)?, stored)));
        let (plan, stored) = match planned {
            Ok(planned) => planned,
            Err(error) => {
                tracing::error!(target: SCOPE, "the job {name} is passed over: {error}");
                return;
            }
        };
        if !self.elected.owns(stored.partition_id) {
            return;
        }
        let progress = counter.map_or_else(Progress::default, |counter| progress(counter, stored.partition_id));
        let next = plan.next(&progress);
        self.agenda.put(name, kv.mod_revision, kv.value.len(), progress, next.unwrap_or(Timestamp::MAX));
        if next.is_none() {
            tracing::info!(target: SCOPE, "the job {name} is over: its schedule has no time left");
            let due = Due { name: name.into(), revision: kv.mod_revision, at: Timestamp::MAX, bytes: 0, progress };
            self.write(Writing { due, partition: stored.partition_id, progress, next });
        }
    }

    fn start_due(&mut self) {
        let (now, mut all) = (self.parts.clock.now(), Vec::new());
        for _ in 0..AT_ONCE {
            if self.is_full() {
                break;
            }
            let room = |recipient: &Recipient| self.parts.pool.room(recipient);
            let waiting_room =
                |recipient: &Recipient, name: Option<&str>| self.parts.pool.waiting_room(recipient, name);
            let offered_again = self.congestion.due(&mut self.agenda, now, room);
            let offered_again = offered_again.or_else(|| self.held.due(now, waiting_room));
            let is_again = offered_again.is_some();
            let Some(due) = offered_again.or_else(|| self.agenda.due(now)) else { break };
            if !is_again && self.congestion.holds(&due.name) {
                self.agenda.stage(&due.name, due.revision);
                continue;
            }
            self.reading += 1;
            self.reading_bytes += due.bytes as usize;
            all.push(due);
        }
        if !all.is_empty() {
            self.work.push(work::read(self.parts.keyspace.clone(), Arc::clone(&self.parts.clock), all));
        }
    }

    /// Writes what is known of outcomes; triggers that are still out count for nothing.
    async fn finish(&mut self) {
        while let Some(Some(done)) = self.work.next().now_or_never() {
            self.take_last(done);
        }
        while let Some(landed) = self.flights.landed() {
            self.take_outcome(landed);
        }
        self.write_all();
        while self.writing > 0 {
            match self.work.next().await {
                Some(done) => self.take_last(done),
                None => return,
            }
        }
    }

    /// Nothing is begun any more, and what could not be written is not tried again.
    fn take_last(&mut self, done: Done) {
        match done {
            Done::Written(writing, _) => self.writing -= writing.len(),
            Done::Read(..) => {}
        }
    }
}
