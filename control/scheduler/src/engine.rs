//! Runs the jobs of this scheduler while the schedulers agree (protocols.md 3.3, 3.4).
//!
//! One task owns the [`Agenda`]. What it has to read or write goes on beside it, and comes back as [`Done`]. A trigger counts as
//! done only when that is written, so that after a failure it comes again rather than not at all.
mod congestion;
mod load;
mod work;

use crate::agenda::{Agenda, Due};
use crate::clock::Clock;
use crate::job::{Damaged, plan, progress};
use crate::keyspace::{Keyspace, job_name};
use crate::leadership::Elected;
use crate::metrics::Metrics;
use crate::plan::{Plan, Progress};
use crate::pool::{Outcome, Pool};
use congestion::Congestion;
use foundation_drain::Drain;
use foundation_etcd::{Changes, Error, Watching};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use wire::etcd::cron::{Counter, StoredJob};
use wire::etcd::mvccpb::event::EventType;
use wire::etcd::mvccpb::{Event, KeyValue};

const SCOPE: &str = "dapr.scheduler.server.cron";
/// Before another try when etcd cannot be used.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the age of what nobody takes is told.
const LOOK: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);
/// Jobs that are started, and outcomes that are taken, before anything else is looked at.
const AT_ONCE: usize = 256;
/// Outcomes that wait to be written before more jobs are started: sidecars may be quicker than the disk.
const UNWRITTEN: usize = 4096;
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
pub(super) enum Done {
    /// A job has been offered to sidecars.
    Triggered(Due, Result<Option<Tried>, Error>),
    /// Its first tick is due, and more of them are done than was known.
    Behind(Writing),
    /// What has become of it is written; or not, and then it is tried again.
    Written(Writing, Result<bool, Error>),
}

/// An attempt at a job.
pub(super) struct Tried {
    plan: Plan,
    partition: u64,
    outcome: Outcome,
    /// Somebody takes its triggers.
    is_deliverable: bool,
}

/// What is to be written of a job.
#[derive(Clone)]
pub(super) struct Writing {
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
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    reading: Arc<Semaphore>,
    /// Outcomes that are being written.
    writing: usize,
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
    let reading = Arc::new(Semaphore::new(parts.workers));
    let work = FuturesUnordered::new();
    let mut engine = Engine {
        parts: parts.clone(),
        elected: elected.clone(),
        agenda: Agenda::default(),
        congestion: Congestion::default(),
        work,
        reading,
        writing: 0,
    };
    let ended = tokio::select! {
        ended = engine.serve(running) => ended,
        changed = agreed.wait_for(|now| now.as_ref() != Some(&elected)) => changed.map(drop).or(Ok(())),
        () = stopping.stopped() => Ok(()),
    };
    timeout(FAREWELL, engine.finish()).await.ok();
    ended
}

impl Engine {
    async fn serve(&mut self, running: &watch::Sender<bool>) -> Result<(), Error> {
        let revision = self.load().await?;
        let mut watching = self.parts.keyspace.watch_jobs(revision + 1).await?;
        tracing::info!(target: SCOPE, "cron is ready, jobs={}", self.agenda.len());
        running.send_replace(true);
        loop {
            self.turn(&mut watching).await?;
            self.start_due();
            let age = self.agenda.staged_since().map(|since| self.parts.clock.now().duration_since(since));
            self.parts.metrics.overdue(self.agenda.staged(), age.unwrap_or_default());
        }
    }

    /// Waits for something to happen, and takes note of it.
    async fn turn(&mut self, watching: &mut Watching) -> Result<(), Error> {
        let look = self.agenda.staged_since().and_then(|_| self.parts.clock.now().checked_add(LOOK).ok());
        // Many jobs that are due at once are begun as others have been read, and as outcomes are written.
        let no_reader = self.reading.available_permits() == 0;
        let is_full = no_reader || self.writing >= UNWRITTEN;
        let due = self.agenda.next_at().filter(|_| !is_full);
        let next = [due, self.congestion.next().filter(|_| !is_full), look].into_iter().flatten().min();
        let sleep = self.parts.clock.until(next);
        let reading = Arc::clone(&self.reading);
        tokio::select! {
            room = reading.acquire(), if no_reader => drop(room),
            changes = watching.next() => self.take_changes(changes?),
            Some(done) = self.work.next() => self.take_all(done),
            prefixes = self.parts.pool.connected() => prefixes.iter().for_each(|prefix| self.agenda.deliverable(prefix)),
            () = sleep => {}
        }
        Ok(())
    }

    /// Takes what has come to an end, and what else has: to wait for each by itself costs more than to take it.
    fn take_all(&mut self, done: Done) {
        self.take(done);
        for _ in 1..AT_ONCE {
            let Some(Some(done)) = self.work.next().now_or_never() else { return };
            self.take(done);
        }
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
        self.agenda.put(name, kv.mod_revision, progress, next.unwrap_or(Timestamp::MAX));
        if next.is_none() {
            let due = Due { name: name.into(), revision: kv.mod_revision, at: Timestamp::MAX, progress };
            self.write(Writing { due, partition: stored.partition_id, progress, next }, Duration::ZERO);
        }
    }

    fn start_due(&mut self) {
        let now = self.parts.clock.now();
        for _ in 0..AT_ONCE {
            if self.writing >= UNWRITTEN {
                return;
            }
            let Ok(permit) = Arc::clone(&self.reading).try_acquire_owned() else { return };
            if let Some(due) = self.congestion.due(&mut self.agenda, now) {
                self.work.push(work::trigger(self.parts.clone(), permit, due));
                continue;
            }
            let Some(due) = self.agenda.due(now) else { return };
            if self.congestion.holds(&due.name) {
                self.agenda.stage(&due.name, due.revision);
            } else {
                self.work.push(work::trigger(self.parts.clone(), permit, due));
            }
        }
    }

    fn take(&mut self, done: Done) {
        match done {
            Done::Triggered(due, Ok(Some(tried))) => self.take_outcome(due, tried),
            // It was changed or deleted meanwhile: the watch tells.
            Done::Triggered(_, Ok(None)) => {}
            Done::Triggered(due, Err(error)) => {
                tracing::warn!(target: SCOPE, "cannot read the job {}: {error}", due.name);
                let later = self.parts.clock.now().saturating_add(jiff::SignedDuration::from_secs(1));
                self.agenda.requeue(&due.name, due.revision, due.progress, later.unwrap_or(Timestamp::MAX));
            }
            Done::Behind(writing) => self.take_behind(writing),
            Done::Written(writing, written) => self.take_written(writing, written),
        }
    }

    fn take_behind(&mut self, writing: Writing) {
        let Writing { due, progress, next, .. } = &writing;
        match next {
            Some(next) => self.agenda.requeue(&due.name, due.revision, *progress, *next),
            None if self.agenda.is_current(&due.name, due.revision) => self.write(writing, Duration::ZERO),
            None => {}
        }
    }

    fn take_outcome(&mut self, due: Due, tried: Tried) {
        let Tried { plan, partition, outcome, is_deliverable } = tried;
        let mut progress = due.progress;
        let now = self.parts.clock.now();
        let next = match outcome {
            Outcome::Success => plan.succeed_for(&mut progress, now),
            Outcome::Failed => plan.fail(&mut progress, due.at, now),
            Outcome::Undeliverable if is_deliverable => {
                self.agenda.requeue(&due.name, due.revision, progress, due.at);
                return;
            }
            Outcome::Undeliverable => {
                self.agenda.stage(&due.name, due.revision);
                return;
            }
            Outcome::Busy => {
                self.agenda.stage(&due.name, due.revision);
                self.congestion.add(&due.name, now);
                return;
            }
        };
        if self.agenda.is_current(&due.name, due.revision) {
            self.write(Writing { due, partition, progress, next }, Duration::ZERO);
        }
    }

    fn take_written(&mut self, writing: Writing, written: Result<bool, Error>) {
        self.writing -= 1;
        let Writing { due, progress, next, .. } = &writing;
        match (written, next) {
            (Ok(true), Some(next)) => self.agenda.requeue(&due.name, due.revision, *progress, *next),
            // Done, or another one of the name: that one has a revision of its own.
            (Ok(_), _) => self.agenda.remove_old(&due.name, due.revision),
            (Err(error), _) => {
                tracing::warn!(target: SCOPE, "cannot write how far the job {} is: {error}", due.name);
                if self.agenda.is_current(&due.name, due.revision) {
                    self.write(writing, PAUSE);
                }
            }
        }
    }

    fn write(&mut self, writing: Writing, pause: Duration) {
        self.writing += 1;
        self.work.push(work::write(self.parts.keyspace.clone(), writing, pause));
    }

    /// Writes what is known of outcomes; triggers that are still out count for nothing.
    async fn finish(&mut self) {
        while let Some(Some(done)) = self.work.next().now_or_never() {
            self.take_last(done);
        }
        while self.writing > 0 {
            match self.work.next().await {
                Some(done) => self.take_last(done),
                None => return,
            }
        }
    }

    /// What could not be written is not tried again.
    fn take_last(&mut self, done: Done) {
        match done {
            Done::Written(..) => self.writing -= 1,
            done => self.take(done),
        }
    }
}
