//! What goes on beside the engine: jobs that are due are read, and what has become of others is written, many at once.
use super::{Done, SCOPE, Writing};
use crate::agenda::Due;
use crate::clock::Clock;
use crate::job::{Damaged, counter, metadata, plan_for, progress};
use crate::keyspace::{Keyspace, Note};
use crate::names::owner;
use crate::plan::{Misfire, Plan, Progress};
use foundation_etcd::Error;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use wire::etcd::cron::{Counter, StoredJob};
use wire::etcd::mvccpb::KeyValue;
use wire::scheduler::v1::{JobMetadata, WatchJobsResponse};

/// A job that is due, as it lies in the store.
pub(super) struct Found {
    pub(super) plan: Plan,
    pub(super) partition: u64,
    pub(super) step: Step,
}

/// What is to be done with it.
pub(super) enum Step {
    Offer(WatchJobsResponse),
    /// It is further than was known, or wants nothing of what it has missed.
    Advance(Progress),
}

/// Reads jobs that are due. None: it is not the one any more that was due.
pub(super) fn read(keyspace: Keyspace, clock: Arc<dyn Clock>, due: Vec<Due>) -> BoxFuture<'static, Done> {
    async move {
        let found = read_all(&keyspace, &due, &*clock).await;
        Done::Read(due, found)
    }
    .boxed()
}

async fn read_all(keyspace: &Keyspace, due: &[Due], clock: &dyn Clock) -> Result<Vec<Option<Found>>, Error> {
    let records = keyspace.jobs(due.iter().map(|due| &*due.name)).await?;
    let mut found: Vec<_> = due.iter().zip(records).map(|(due, kv)| decode(due, &kv?)).collect();
    catch_up(keyspace, due, &mut found).await?;
    let now = clock.now();
    for (due, found) in due.iter().zip(&mut found) {
        if let Some(found) = found {
            found.skip_missed(due, now);
        }
    }
    Ok(found)
}

fn decode(due: &Due, kv: &KeyValue) -> Option<Found> {
    if kv.mod_revision != due.revision {
        return None;
    }
    let read = StoredJob::decode(&kv.value[..]).map_err(Damaged::from).and_then(|stored| {
        let metadata = metadata(stored.job.as_ref().ok_or(Damaged::Empty)?)?;
        let (plan, partition) = (plan_for(&stored, &metadata)?, stored.partition_id);
        Ok(Found { plan, partition, step: Step::Offer(message(&due.name, stored, metadata)?) })
    });
    read.inspect_err(|error| tracing::error!(target: SCOPE, "the job {} is passed over: {error}", due.name)).ok()
}

/// Looks how far the jobs are whose first tick is due: they may have been imported with their counters.
async fn catch_up(keyspace: &Keyspace, due: &[Due], found: &mut [Option<Found>]) -> Result<(), Error> {
    let (mut names, mut beginning) = (Vec::new(), Vec::new());
    for (due, found) in due.iter().zip(found) {
        let found = found.as_mut().filter(|found| found.plan.schedule.is_some() && due.progress == Progress::default());
        if let Some(found) = found {
            names.push(&*due.name);
            beginning.push(found);
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    for (found, kv) in beginning.into_iter().zip(keyspace.counters(names.into_iter()).await?) {
        let Some(kv) = kv else { continue };
        let progress = progress(&Counter::decode(&kv.value[..]).unwrap_or_default(), found.partition);
        if progress != Progress::default() {
            found.step = Step::Advance(progress);
        }
    }
    Ok(())
}

impl Found {
    fn skip_missed(&mut self, due: &Due, now: Timestamp) {
        let is_offered = matches!(self.step, Step::Offer(_));
        if !is_offered || self.plan.misfire != Misfire::Skip || due.progress.attempts > 0 {
            return;
        }
        let mut progress = due.progress;
        self.plan.pass_over(&mut progress, now);
        if progress != due.progress {
            self.step = Step::Advance(progress);
        }
    }
}

/// What a sidecar gets: the name is the part behind its owner's.
fn message(name: &str, stored: StoredJob, metadata: JobMetadata) -> Result<WatchJobsResponse, Damaged> {
    let job = stored.job.ok_or(Damaged::Empty)?;
    let owner = owner(&metadata).map_err(|_| Damaged::Empty)?;
    let name = name.strip_prefix(&owner).ok_or(Damaged::Empty)?.to_owned();
    Ok(WatchJobsResponse { name, id: 0, data: job.payload, metadata: Some(metadata) })
}

/// Writes how far jobs are, after a pause.
pub(super) fn write(keyspace: Keyspace, writing: Vec<Writing>, pause: Duration) -> BoxFuture<'static, Done> {
    async move {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let written = keyspace.note(writing.iter().map(note).collect()).await;
        Done::Written(writing, written)
    }
    .boxed()
}

fn note(writing: &Writing) -> Note {
    let Writing { due, partition, progress, next } = writing;
    match next {
        Some(_) => Note::progress(&due.name, due.revision, &counter(progress, *partition)),
        None => Note::end(&due.name, due.revision),
    }
}
