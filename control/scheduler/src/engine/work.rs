//! What goes on beside the engine: triggers, and notes of their outcomes.
use super::{Done, Parts, SCOPE, Tried, Writing};
use crate::agenda::Due;
use crate::job::{Damaged, counter, metadata, plan, progress};
use crate::keyspace::Keyspace;
use crate::names::owner;
use crate::plan::{Misfire, Plan, Progress};
use crate::pool::{Outcome, target};
use foundation_etcd::Error;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use prost::Message;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use wire::etcd::cron::{Counter, StoredJob};
use wire::scheduler::v1::{JobMetadata, WatchJobsResponse};

/// Reads a job that is due, offers it to sidecars, and waits for the outcome.
pub(super) fn trigger(parts: Parts, reading: OwnedSemaphorePermit, due: Due) -> BoxFuture<'static, Done> {
    async move {
        match attempt(&parts, reading, &due).await {
            Ok(Some(Attempt::Tried(tried))) => Done::Triggered(due, Ok(Some(tried))),
            Ok(Some(Attempt::Behind(writing))) => Done::Behind(writing),
            Ok(None) => Done::Triggered(due, Ok(None)),
            Err(error) => Done::Triggered(due, Err(error)),
        }
    }
    .boxed()
}

/// What became of a job that was due.
enum Attempt {
    Tried(Tried),
    /// It is further than was known.
    Behind(Writing),
}

/// None: the job is not the one any more that was due.
async fn attempt(parts: &Parts, reading: OwnedSemaphorePermit, due: &Due) -> Result<Option<Attempt>, Error> {
    let found = parts.keyspace.job(&due.name).await?.filter(|kv| kv.mod_revision == due.revision);
    let Some(kv) = found else { return Ok(None) };
    drop(reading);
    let read = StoredJob::decode(&kv.value[..]).map_err(Damaged::from).and_then(|stored| {
        let (plan, partition) = (plan(&stored)?, stored.partition_id);
        Ok((plan, partition, message(&due.name, stored)?))
    });
    let (plan, partition, message) = match read {
        Ok(read) => read,
        Err(error) => {
            tracing::error!(target: SCOPE, "the job {} is passed over: {error}", due.name);
            return Ok(None);
        }
    };
    drop(kv);
    let behind = behind(parts, due, &plan, partition).await?;
    if let Some(behind) = behind.or_else(|| skipped(due, &plan, partition, parts.clock.now())) {
        return Ok(Some(Attempt::Behind(behind)));
    }
    let metadata = message.metadata.clone().unwrap_or_default();
    let outcome = offer(parts, &metadata, message).await;
    let is_deliverable = outcome == Outcome::Undeliverable && parts.pool.has_recipient(&metadata);
    Ok(Some(Attempt::Tried(Tried { plan, partition, outcome, is_deliverable })))
}

/// How far a job is that wants nothing of what it has missed.
fn skipped(due: &Due, plan: &Plan, partition: u64, now: Timestamp) -> Option<Writing> {
    if plan.misfire != Misfire::Skip || due.progress.attempts > 0 {
        return None;
    }
    let mut progress = due.progress;
    plan.pass_over(&mut progress, now);
    let writing = || Writing { due: due.clone(), partition, progress, next: plan.next(&progress) };
    (progress != due.progress).then(writing)
}

/// How far a job is whose first tick is due, if it has been imported with its counter.
async fn behind(parts: &Parts, due: &Due, plan: &Plan, partition: u64) -> Result<Option<Writing>, Error> {
    if due.progress != Progress::default() || plan.schedule.is_none() {
        return Ok(None);
    }
    let Some(kv) = parts.keyspace.counter(&due.name).await? else { return Ok(None) };
    let progress = progress(&Counter::decode(&kv.value[..]).unwrap_or_default(), partition);
    let writing = || Writing { due: due.clone(), partition, progress, next: plan.next(&progress) };
    Ok((progress != due.progress).then(writing))
}

async fn offer(parts: &Parts, metadata: &JobMetadata, message: WatchJobsResponse) -> Outcome {
    let (start, target) = (Instant::now(), target(Some(metadata)));
    let outcome = parts.pool.deliver(message).await.unwrap_or(Outcome::Undeliverable);
    match outcome {
        Outcome::Success => parts.metrics.succeeded(target, start.elapsed()),
        Outcome::Failed => parts.metrics.failed(target, start.elapsed()),
        Outcome::Undeliverable => parts.metrics.undelivered(target),
        Outcome::Busy => {}
    }
    outcome
}

/// What a sidecar gets: the name is the part behind its owner's.
fn message(name: &str, stored: StoredJob) -> Result<WatchJobsResponse, Damaged> {
    let job = stored.job.ok_or(Damaged::Empty)?;
    let metadata = metadata(&job)?;
    let owner = owner(&metadata).map_err(|_| Damaged::Empty)?;
    let name = name.strip_prefix(&owner).ok_or(Damaged::Empty)?.to_owned();
    Ok(WatchJobsResponse { name, id: 0, data: job.payload, metadata: Some(metadata) })
}

/// Writes how far a job is, after a pause.
pub(super) fn write(keyspace: Keyspace, writing: Writing, pause: Duration) -> BoxFuture<'static, Done> {
    async move {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let due = &writing.due;
        let written = match writing.next {
            Some(_) => {
                let counter = counter(&writing.progress, writing.partition);
                keyspace.put_counter(&due.name, due.revision, &counter).await
            }
            None => keyspace.finish_job(&due.name, due.revision).await.map(|()| true),
        };
        Done::Written(writing, written)
    }
    .boxed()
}
