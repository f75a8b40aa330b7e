//! Schedulers on a clock that runs as fast as it can: random jobs, slow and failing apps, crashes, handovers, and a clock that is set,
//! all from a seed. `SIMULATION_SEED=7 cargo test -p control-scheduler simulation` runs one seed, `SIMULATION_SEEDS=1000` more of them.
//!
//! What must hold: nothing fires early, nothing due is lost, repeats are counted right, a deleted job never fires again, and nothing
//! is left behind in the store.
mod model;
mod parts;

use jiff::SignedDuration;
use model::{Instance, Verdict};
use parts::{Scheduler, Sidecar, SimulatedClock, store};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

use super::world::{full, metadata};
use crate::clock::Clock;
use crate::keyspace::Keyspace;
use crate::pool::Outcome;
use foundation_drain::Drain;
use foundation_etcd::Client;
use wire::etcd::etcdserverpb::RangeRequest;

const SEEDS: u64 = 100;
const STEPS: usize = 60;
const NAMES: u32 = 8;
/// Within this time everything that is there has to happen before anything else does.
const SETTLE: Duration = Duration::from_millis(50);
/// Seconds after which all jobs must be done when nothing fails any more.
const ENOUGH: usize = 4_000;

#[test]
fn jobs_are_kept_whatever_fails() {
    let count = setting("SIMULATION_SEEDS").unwrap_or(SEEDS);
    let seeds = setting("SIMULATION_SEED").map_or(0..count, |seed| seed..seed + 1);
    for seed in seeds {
        let run = std::panic::catch_unwind(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            runtime.unwrap().block_on(simulate(seed));
        });
        assert!(run.is_ok(), "the seed is {seed}: SIMULATION_SEED={seed} runs it again");
    }
}

#[allow(clippy::disallowed_methods)] // A test has no options.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

async fn simulate(seed: u64) {
    let mut world = World::new(seed).await;
    for _ in 0..STEPS {
        sleep(Duration::from_millis(world.random.random_range(0..3_000))).await;
        world.take_triggers().await;
        world.act().await;
    }
    world.heal().await;
    world.end().await;
}

struct World {
    random: StdRng,
    clock: Arc<SimulatedClock>,
    keyspace: Keyspace,
    store_drain: Drain,
    schedulers: Vec<Scheduler>,
    sidecars: Vec<Sidecar>,
    /// All jobs that ever were, by the number in their data.
    instances: Vec<Instance>,
    /// The one that is there of each name.
    current: BTreeMap<String, usize>,
    /// Outcomes that have been told since all was settled: a crash may lose them.
    unsettled: Vec<usize>,
    /// Nothing fails and nothing is slow any more.
    is_healed: bool,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new(seed: u64) -> Self {
        let store_drain = Drain::new();
        let (folder, store) = store(&store_drain).await;
        let keyspace = Keyspace::new(Client::Embedded(store));
        let mut world = Self {
            random: StdRng::seed_from_u64(seed),
            clock: Arc::new(SimulatedClock::new()),
            keyspace,
            store_drain,
            schedulers: Vec::new(),
            sidecars: Vec::new(),
            instances: Vec::new(),
            current: BTreeMap::new(),
            unsettled: Vec::new(),
            is_healed: false,
            _folder: folder,
        };
        world.start_scheduler().await;
        world
    }

    async fn settle(&mut self) {
        sleep(SETTLE).await;
        self.unsettled.clear();
    }

    /// One thing that happens.
    async fn act(&mut self) {
        match self.random.random_range(0..100) {
            0..35 => self.schedule().await,
            35..45 => self.delete().await,
            45..60 => self.connect(),
            60..68 => self.disconnect(),
            68..76 => self.crash().await,
            76..80 => self.stop().await,
            80..88 => self.start_scheduler().await,
            88..94 => self.clock.jump(self.random.random_range(-90_000..90_000)),
            _ => {}
        }
    }

    async fn schedule(&mut self) {
        let name = format!("job-{}", self.random.random_range(0..NAMES));
        let number = self.instances.len();
        let instance = Instance::random(&mut self.random, self.clock.now());
        let stored = crate::job::stored(instance.request(number), &metadata(), self.clock.now(), instance.partition);
        self.keyspace.put_job(&full(&name), &stored.unwrap()).await.unwrap();
        self.instances.push(instance);
        let replaced = self.current.insert(name, number);
        self.ended(replaced).await;
    }

    async fn delete(&mut self) {
        let names: Vec<String> = self.current.keys().cloned().collect();
        let Some(name) = names.choose(&mut self.random) else { return };
        self.keyspace.delete_job(&full(name)).await.unwrap();
        let deleted = self.current.remove(name);
        self.ended(deleted).await;
    }

    /// Nothing comes any more, though it was on its way: only what the sidecar has read by now.
    async fn ended(&mut self, number: Option<usize>) {
        self.settle().await;
        if let Some(number) = number {
            self.instances[number].is_gone = true;
        }
        self.take_triggers().await;
    }

    fn connect(&mut self) {
        for (index, scheduler) in self.schedulers.iter().enumerate() {
            self.sidecars.push(scheduler.connect(index));
        }
    }

    fn disconnect(&mut self) {
        if !self.sidecars.is_empty() {
            let index = self.random.random_range(0..self.sidecars.len());
            self.sidecars.swap_remove(index).leave();
        }
    }

    /// A scheduler is gone from one moment to the next, with what it has not written.
    async fn crash(&mut self) {
        let Some(scheduler) = self.schedulers.pop() else { return };
        drop(scheduler);
        let lost = self.schedulers.len();
        self.sidecars.retain(|sidecar| sidecar.scheduler != lost);
        for number in std::mem::take(&mut self.unsettled) {
            self.instances[number].uncertain += 1;
        }
        self.agree().await;
    }

    async fn stop(&mut self) {
        let Some(scheduler) = self.schedulers.pop() else { return };
        scheduler.stop().await;
        let gone = self.schedulers.len();
        self.sidecars.retain(|sidecar| sidecar.scheduler != gone);
        self.agree().await;
    }

    async fn start_scheduler(&mut self) {
        if self.schedulers.len() < 3 {
            self.schedulers.push(Scheduler::start(self.keyspace.clone(), self.clock.clone()));
            self.agree().await;
        }
    }

    /// All stop running jobs before they share them anew.
    async fn agree(&mut self) {
        self.schedulers.iter().for_each(|scheduler| scheduler.agree(None));
        // An engine that ends writes what it knows, which may take as long as that.
        sleep(Duration::from_secs(3)).await;
        self.settle().await;
        // What was not answered by now is triggered anew, and an answer to the old trigger counts for nothing.
        self.receive().await;
        for (_, number, _) in self.sidecars.iter().flat_map(|sidecar| &sidecar.waiting) {
            self.instances[*number].uncertain += 1;
        }
        let total = self.schedulers.len();
        for (index, scheduler) in self.schedulers.iter().enumerate() {
            scheduler.agree(Some((index, total)));
        }
    }

    /// What sidecars have got, and what their apps say of it.
    async fn take_triggers(&mut self) {
        self.receive().await;
        let is_healed = self.is_healed;
        for sidecar in &mut self.sidecars {
            let said = sidecar.waiting.extract_if(.., |(_, _, verdict)| verdict.is_said() || is_healed);
            for (id, number, verdict) in said.collect::<Vec<_>>() {
                let outcome = if is_healed { Outcome::Success } else { verdict.outcome() };
                sidecar.answer(id, outcome);
                self.instances[number].answered(outcome);
                self.unsettled.push(number);
            }
        }
    }

    async fn receive(&mut self) {
        for sidecar in &mut self.sidecars {
            for trigger in sidecar.new_triggers() {
                let number = Instance::number(&trigger);
                let instance = &self.instances[number];
                let counter = self.keyspace.counter(&full(&trigger.name)).await.unwrap();
                instance.check_trigger(self.clock.now(), counter.as_ref());
                sidecar.waiting.push((trigger.id, number, Verdict::random(&mut self.random)));
            }
        }
    }

    /// From now on all goes well: everything that is due must come.
    async fn heal(&mut self) {
        self.is_healed = true;
        for sidecar in self.sidecars.drain(..) {
            sidecar.leave();
        }
        if self.schedulers.is_empty() {
            self.start_scheduler().await;
        }
        self.connect();
        for _ in 0..ENOUGH {
            sleep(Duration::from_secs(1)).await;
            self.take_triggers().await;
            if self.is_empty().await {
                return;
            }
        }
        panic!("some jobs are never done");
    }

    /// Whether nothing is left in the store, jobs and counters alike.
    async fn is_empty(&self) -> bool {
        let everything = RangeRequest { key: vec![0].into(), range_end: vec![0].into(), ..RangeRequest::default() };
        self.keyspace.client().range(everything).await.unwrap().kvs.is_empty()
    }

    async fn end(mut self) {
        self.settle().await;
        for (number, instance) in self.instances.iter().enumerate() {
            instance.check_end(number);
        }
        for scheduler in self.schedulers.drain(..) {
            scheduler.stop().await;
        }
        let Self { keyspace, store_drain, .. } = self;
        drop(keyspace);
        assert!(store_drain.close(Duration::from_secs(60)).await);
    }
}

/// A little later than a time.
fn after(time: jiff::Timestamp, seconds: i64) -> jiff::Timestamp {
    time + SignedDuration::from_secs(seconds)
}
