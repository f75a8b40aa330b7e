//! What the simulation is made of: the real engine and pool, with a clock, a store and sidecars that are under control.
use crate::clock::Clock;
use crate::engine::{Parts, follow};
use crate::keyspace::Keyspace;
use crate::leadership::Elected;
use crate::pool::{Outcome, Pool, StreamId, Triggers};
use crate::tests::simulation::model::Verdict;
use crate::tests::world::metrics;
use foundation_drain::Drain;
use foundation_etcd::{Settings, Store};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wire::scheduler::v1::{WatchJobsRequestInitial, WatchJobsResponse};

/// Memory, where commits wait for no disk.
const MEMORY: &str = "/dev/shm";
/// Of a clock that may be set meanwhile, as the system's.
const LONGEST: Duration = Duration::from_secs(1);

pub(super) async fn store(drain: &Drain) -> (TempDir, Store) {
    let folder = if Path::new(MEMORY).is_dir() { tempfile::tempdir_in(MEMORY) } else { tempfile::tempdir() }.unwrap();
    let settings = Settings {
        folder: folder.path().to_owned(),
        quota: u64::MAX,
        most_operations: 128,
        history_bytes: 1 << 20,
        history_revisions: 1000,
    };
    let store = Store::open(settings, drain).await.unwrap();
    (folder, store)
}

/// A clock that goes with the runtime's, and can be set.
pub(super) struct SimulatedClock {
    start: Instant,
    /// Milliseconds by which it was set.
    set: AtomicI64,
}

impl SimulatedClock {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), set: AtomicI64::new(0) }
    }

    pub(super) fn jump(&self, milliseconds: i64) {
        self.set.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.start.elapsed()).unwrap();
        let begin = Timestamp::from_second(1_800_000_000).unwrap();
        begin + passed + SignedDuration::from_millis(self.set.load(Ordering::Relaxed))
    }

    fn until(&self, time: Option<Timestamp>) -> BoxFuture<'static, ()> {
        let Some(time) = time else { return std::future::pending().boxed() };
        let left = Duration::try_from(time.duration_since(self.now())).unwrap_or_default();
        tokio::time::sleep(left.min(LONGEST)).boxed()
    }
}

/// A scheduler process. Dropped, it is killed.
pub(super) struct Scheduler {
    pool: Pool,
    agreed: watch::Sender<Option<Elected>>,
    drain: Drain,
    running: JoinSet<()>,
}

impl Scheduler {
    pub(super) fn start(keyspace: Keyspace, clock: Arc<dyn Clock>) -> Self {
        let (pool, drain, agreed) = (Pool::new(metrics()), Drain::new(), watch::Sender::new(None));
        let parts = Parts { keyspace, pool: pool.clone(), metrics: metrics(), clock, workers: 8 };
        let mut running = JoinSet::new();
        running.spawn(follow(parts, agreed.subscribe(), watch::Sender::new(false), drain.clone()));
        Self { pool, agreed, drain, running }
    }

    /// What the schedulers agree on: which of how many this one is.
    pub(super) fn agree(&self, share: Option<(usize, usize)>) {
        self.agreed.send_replace(share.map(|(index, total)| Elected { index, total, hosts: Vec::new() }));
    }

    pub(super) async fn stop(mut self) {
        self.drain.stop();
        while self.running.join_next().await.is_some() {}
    }

    /// A sidecar that takes the jobs of the app.
    pub(super) fn connect(&self, scheduler: usize) -> Sidecar {
        let (outbox, inbox) = self.pool.outbox(4);
        let initial = WatchJobsRequestInitial { app_id: "app".into(), namespace: "ns".into(), ..Default::default() };
        let id = self.pool.connect(&initial, outbox);
        Sidecar { scheduler, id, inbox, pool: self.pool.clone(), waiting: Vec::new() }
    }
}

/// The stream of a sidecar to one of the schedulers.
pub(super) struct Sidecar {
    pub(super) scheduler: usize,
    id: StreamId,
    inbox: Triggers,
    pool: Pool,
    /// Triggers that the app has not said anything about, with the number of the job.
    pub(super) waiting: Vec<(u64, usize, Verdict)>,
}

impl Sidecar {
    pub(super) fn new_triggers(&mut self) -> Vec<WatchJobsResponse> {
        std::iter::from_fn(|| self.inbox.try_next()).map(Result::unwrap).collect()
    }

    pub(super) fn answer(&self, trigger: u64, outcome: Outcome) {
        self.pool.acknowledge(self.id, trigger, outcome).unwrap();
    }

    pub(super) fn leave(self) {
        self.pool.disconnect(self.id);
    }
}
