//! A scheduler without its process: a store in a folder, a clock that stands still until it is set, sidecars that are channels.
use crate::clock::Clock;
use crate::engine::{self, Parts};
use crate::identity::Authorization;
use crate::keyspace::Keyspace;
use crate::leadership;
use crate::metrics::Metrics;
use crate::names::of_job;
use crate::pool::{Outcome, Pool, Recipient, StreamId, Triggers};
use crate::service::Service;
use foundation_drain::Drain;
use foundation_etcd::{Client, Settings, Store};
use foundation_telemetry::Registry;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use jiff::{SignedDuration, Timestamp};
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use wire::common::v1::MisfirePolicy;
use wire::etcd::cron::Counter;
use wire::etcd::etcdserverpb::request_op::Request;
use wire::etcd::etcdserverpb::{PutRequest, RangeRequest, RequestOp, TxnRequest};
use wire::scheduler::v1::job_target_metadata::Type;
use wire::scheduler::v1::{Job, JobMetadata, JobTargetMetadata, TargetJob, WatchJobsRequestInitial, WatchJobsResponse};

const PATIENCE: Duration = Duration::from_secs(10);
/// Of a sidecar that does not read.
const ROOM: usize = 64;

/// A clock that is set by hand.
pub(super) struct Hand(watch::Sender<Timestamp>);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn until(&self, time: Option<Timestamp>) -> BoxFuture<'static, ()> {
        let mut hand = self.0.subscribe();
        async move {
            match time {
                Some(time) => drop(hand.wait_for(|now| *now >= time).await),
                None => std::future::pending().await,
            }
        }
        .boxed()
    }
}

pub(super) struct World {
    pub(super) store: Store,
    pub(super) pool: Pool,
    keyspace: Keyspace,
    clock: Arc<Hand>,
    /// Metrics of the engine.
    registry: Registry,
    store_drain: Drain,
    drain: Drain,
    _folder: TempDir,
}

/// A sidecar that takes the jobs of the app.
pub(super) struct Sidecar {
    pub(super) id: StreamId,
    inbox: Triggers,
    pool: Pool,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with_quota(u64::MAX).await
    }

    /// With room for so many bytes of records.
    pub(super) async fn with_quota(quota: u64) -> Self {
        let (folder, store_drain) = (tempfile::tempdir().unwrap(), Drain::new());
        let settings = Settings {
            folder: folder.path().to_owned(),
            quota,
            most_operations: 128,
            history_bytes: 256 << 20,
            history_revisions: 1000,
        };
        let store = Store::open(settings, &store_drain).await.unwrap();
        let keyspace = Keyspace::new(Client::Embedded(store.clone()));
        let clock = Arc::new(Hand(watch::Sender::new(Timestamp::UNIX_EPOCH)));
        let (pool, registry) = (Pool::new(metrics()), Registry::new().unwrap());
        let mut world =
            Self { store, pool, keyspace, clock, registry, store_drain, drain: Drain::new(), _folder: folder };
        world.start().await;
        world
    }

    /// Runs jobs anew with the same store, as after the end of the process.
    pub(super) async fn restart(&mut self) {
        assert!(self.drain.close(PATIENCE).await);
        (self.pool, self.registry) = (Pool::new(metrics()), Registry::new().unwrap());
        self.drain = Drain::new();
        self.start().await;
    }

    async fn start(&mut self) {
        let agreed = leadership::start(self.keyspace.clone(), "one".into(), "one:1".into(), &self.drain);
        let parts = Parts {
            keyspace: self.keyspace.clone(),
            pool: self.pool.clone(),
            metrics: Metrics::new(&self.registry).unwrap(),
            clock: self.clock.clone(),
            workers: 8,
        };
        let mut running = engine::start(parts, agreed, &self.drain);
        tokio::time::timeout(PATIENCE, running.wait_for(|running| *running)).await.unwrap().unwrap();
    }

    pub(super) fn connect(&self) -> Sidecar {
        let (outbox, inbox) = self.pool.outbox(ROOM);
        let initial = WatchJobsRequestInitial { app_id: "app".into(), namespace: "ns".into(), ..Default::default() };
        Sidecar { id: self.pool.connect(&initial, outbox), inbox, pool: self.pool.clone() }
    }

    pub(super) async fn schedule(&self, name: &str, job: Job) {
        self.schedule_with(name, job, MisfirePolicy::FireAll).await;
    }

    pub(super) async fn schedule_with(&self, name: &str, job: Job, misfire: MisfirePolicy) {
        let metadata = JobMetadata { misfire_policy: misfire.into(), ..metadata() };
        let stored = crate::job::stored(job, &metadata, self.clock.now(), rand::random()).unwrap();
        self.keyspace.put_job(&full(name), &stored).await.unwrap();
    }

    /// Has a job written with its counter by somebody else.
    pub(super) async fn import(&self, name: &str, job: Job, count: u32) {
        let stored = crate::job::stored(job, &metadata(), self.clock.now(), 7).unwrap();
        let last = self.clock.now() + SignedDuration::from_secs(i64::from(count) * 10);
        let progress = crate::plan::Progress { count, last: Some(last), attempts: 0 };
        let put = |key: String, value: Vec<u8>| {
            let put = PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() };
            RequestOp { request: Some(Request::RequestPut(put)) }
        };
        let success = vec![
            put(format!("dapr/jobs/{}", full(name)), stored.encode_to_vec()),
            put(format!("dapr/counters/{}", full(name)), crate::job::counter(&progress, 7).encode_to_vec()),
        ];
        self.store.txn(TxnRequest { success, ..TxnRequest::default() }).await.unwrap();
    }

    pub(super) async fn delete(&self, name: &str) {
        self.keyspace.delete_job(&full(name)).await.unwrap();
    }

    /// Sets the clock forward, when the engine has seen all that was written.
    pub(super) fn pass(&self, seconds: i64) {
        self.clock.0.send_modify(|now| *now += SignedDuration::from_secs(seconds));
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    /// The service of the same scheduler.
    pub(super) fn service(&self) -> Service {
        let metrics = metrics();
        Service {
            keyspace: self.keyspace.clone(),
            pool: self.pool.clone(),
            metrics: metrics.clone(),
            clock: self.clock.clone(),
            authorization: Authorization { is_enabled: false, metrics },
            agreed: watch::channel(None).1,
            is_running: watch::channel(true).1,
            drain: self.drain.clone(),
        }
    }

    /// Writes what is no job where one should be.
    pub(super) async fn damage(&self, name: &str) {
        let put = PutRequest {
            key: format!("dapr/jobs/{}", full(name)).into(),
            value: vec![255].into(),
            ..PutRequest::default()
        };
        let success = vec![RequestOp { request: Some(Request::RequestPut(put)) }];
        self.store.txn(TxnRequest { success, ..TxnRequest::default() }).await.unwrap();
    }

    /// Takes all the room that is left in the store.
    pub(super) async fn fill(&self) {
        let put =
            |size: usize| PutRequest { key: "filling".into(), value: vec![1; size].into(), ..PutRequest::default() };
        let request = |size| RequestOp { request: Some(Request::RequestPut(put(size))) };
        let mut size = 1;
        while self.store.txn(TxnRequest { success: vec![request(size)], ..TxnRequest::default() }).await.is_ok() {
            size *= 2;
        }
    }

    /// Waits until the engine's metrics show a line.
    pub(super) async fn until_shown(&self, line: &str) {
        let shown = async {
            while !self.registry.render().lines().any(|shown| shown == line) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, shown).await.unwrap();
    }

    /// Waits until so many triggers are on their way that the sidecar has not read.
    pub(super) async fn until_unread(&self, count: usize) {
        let recipient = Recipient::of(&metadata()).unwrap();
        let unread = async {
            while self.pool.room(&recipient).is_none_or(|room| room.jobs != ROOM - count) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, unread).await.unwrap();
    }

    /// Waits until a job is done, or so many of its ticks are.
    pub(super) async fn until_count(&self, name: &str, count: Option<u32>) {
        self.until(name, |counter| counter.as_ref().map(|counter| counter.count) == count).await;
    }

    /// Waits until so many attempts at the present tick of a job are known to have failed: the pause after one counts from then at the
    /// latest, and the clock stands still until it is told.
    pub(super) async fn until_failed(&self, name: &str, attempts: u32) {
        self.until(name, |counter| counter.as_ref().is_some_and(|counter| counter.attempts == attempts)).await;
    }

    async fn until(&self, name: &str, is_so: impl Fn(&Option<Counter>) -> bool) {
        let mut watcher = self.store.watch(&vec![0].into(), &vec![0].into(), 0).unwrap();
        while !is_so(&self.counter(name).await) {
            tokio::time::timeout(PATIENCE, watcher.next()).await.unwrap().unwrap();
        }
    }

    /// How far a job is; none when there is no job.
    async fn counter(&self, name: &str) -> Option<Counter> {
        self.keyspace.job(&full(name)).await.unwrap()?;
        let key = format!("dapr/counters/{}", full(name)).into();
        let found = self.store.range(RangeRequest { key, ..RangeRequest::default() }).await.unwrap().kvs;
        Some(found.first().map_or_else(Counter::default, |kv| Counter::decode(&kv.value[..]).unwrap()))
    }

    pub(super) async fn end(self) {
        let Self { store, pool, keyspace, store_drain, drain, _folder: folder, .. } = self;
        assert!(drain.close(PATIENCE).await);
        drop((store, pool, keyspace));
        assert!(store_drain.close(PATIENCE).await);
        drop(folder);
    }
}

impl Sidecar {
    /// The next trigger.
    pub(super) async fn next(&mut self) -> WatchJobsResponse {
        tokio::time::timeout(PATIENCE, self.inbox.next()).await.unwrap().unwrap().unwrap()
    }

    /// Answers the next trigger, whose name it is.
    pub(super) async fn answer(&mut self, outcome: Outcome) -> String {
        let trigger = self.next().await;
        self.pool.acknowledge(self.id, trigger.id, outcome).unwrap();
        trigger.name
    }

    pub(super) fn is_idle(&mut self) -> bool {
        self.inbox.try_next().is_none()
    }
}

pub(super) fn every(seconds: u32) -> Job {
    Job { schedule: Some(format!("@every {seconds}s")), ..Job::default() }
}

pub(super) fn once(due: &str) -> Job {
    Job { due_time: Some(due.to_owned()), ..Job::default() }
}

pub(super) fn metrics() -> Metrics {
    Metrics::new(&Registry::new().unwrap()).unwrap()
}

pub(super) fn metadata() -> JobMetadata {
    let target = Some(JobTargetMetadata { r#type: Some(Type::Job(TargetJob {})) });
    JobMetadata { app_id: "app".into(), namespace: "ns".into(), target, ..JobMetadata::default() }
}

pub(super) fn full(name: &str) -> String {
    of_job(&metadata(), name).unwrap()
}
