//! One run of the simulation: replicas, sidecars, callers, and all that happens to them.
use crate::checks::Checks;
use crate::network::{Network, Node};
use crate::random::Random;
use crate::replica::{Cluster, Replica};
use crate::sidecar::{Sidecar, Sidecars, Surroundings};
use block_actor::{ActorKey, Call, RuntimeStatus};
use foundation_drain::Drain;
use http::HeaderMap;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, advance, sleep, timeout};
use tokio_util::sync::CancellationToken;

const SIDECARS: usize = 5;
const TYPES: [&[&str]; 4] = [&["a"], &["b"], &["a", "b"], &["a", "b"]];
const IDS: u64 = 5;
/// How long things go wrong.
const TROUBLE: Duration = Duration::from_secs(10);
/// How long all may take to come right again: elections, and rounds that end by their timeout.
const RECOVERY: Duration = Duration::from_secs(25);
/// How long sidecars wait for tables by default.
const USUAL: Duration = Duration::from_secs(30);
/// How long those do who give up sooner than the service, which waits for a host that was cut off until it has noticed that.
const IMPATIENCE: Duration = Duration::from_secs(2);
/// How long a round may take by default.
const ROUND: Duration = Duration::from_secs(8);
/// How long it may where the service gives a host up before it knows that it was cut off.
const HASTE: Duration = Duration::from_secs(3);
/// When a caller gives up.
const DEADLINE: Duration = Duration::from_secs(30);

/// What came of a run.
pub(crate) struct Results {
    pub(crate) wrong: Vec<String>,
    /// Of all that happened.
    pub(crate) digest: u64,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
}

struct World {
    around: Surroundings,
    tasks: Drain,
    /// Cancelled when nothing goes wrong any more.
    quiet: CancellationToken,
    /// Answered, and failed.
    calls: Arc<Mutex<(u64, u64)>>,
}

/// Runs the world of a seed; `shows` prints what happens.
pub(crate) async fn run(seed: u64, shows: bool) -> Results {
    let world = World::start(seed, shows).await;
    world.trouble().await;
    world.recover().await;
    world.end();
    let (wrong, digest) = world.around.checks.results();
    let (answered, failed) = *world.calls.lock().unwrap();
    Results { wrong, digest, answered, failed }
}

impl World {
    async fn start(seed: u64, shows: bool) -> Self {
        let random = Random::new(seed);
        let round = if seed.is_multiple_of(5) { HASTE } else { ROUND };
        let (network, checks) = (Network::new(random.clone()), Checks::new(shows, round));
        let (cluster, sidecars) = (Cluster::default(), Sidecars::default());
        let replicas = if seed.is_multiple_of(3) { 1 } else { 3 };
        // Some wait for less time than the service does, and give it up first.
        let timeout = if seed.is_multiple_of(4) { IMPATIENCE } else { USUAL };
        let around = Surroundings { network, random, checks, cluster, replicas, round, sidecars, timeout };
        let world = Self { around, tasks: Drain::new(), quiet: CancellationToken::new(), calls: Arc::default() };
        for place in 0..replicas {
            world.start_replica(place);
        }
        for number in 0..SIDECARS {
            world.start_sidecar(number).await;
        }
        world
    }

    fn start_replica(&self, place: usize) {
        let Surroundings { network, random, cluster, replicas, round, .. } = &self.around;
        Replica::start(place, (*replicas, *round), random.below(u64::MAX), (cluster, network));
    }

    async fn start_sidecar(&self, number: usize) {
        let types = self.types(number);
        self.around.checks.note(&format!("sidecar {number} starts with {types:?}"));
        Sidecar::start(number, types, &self.around).await;
        self.call_from(number);
    }

    /// What an app hosts. The first one hosts all there is, so that every type has a host.
    fn types(&self, number: usize) -> &'static [&'static str] {
        let drawn = TYPES[self.around.random.index(TYPES.len())];
        if number == 0 { TYPES[TYPES.len() - 1] } else { drawn }
    }

    /// A caller that goes on until its sidecar dies.
    fn call_from(&self, number: usize) {
        let sidecar = self.around.sidecars.lock().unwrap().get(&number).cloned().unwrap();
        let process = self.around.network.process(Node::Sidecar(number)).unwrap();
        let quiet = self.quiet.clone();
        let (random, checks) = (self.around.random.clone(), self.around.checks.clone());
        let calls = Arc::clone(&self.calls);
        self.tasks.spawn_until_stopped(async move {
            let calling = async {
                loop {
                    sleep(random.millis(20, if quiet.is_cancelled() { 5_000 } else { 600 })).await;
                    let answered = call(&sidecar, (&random, &checks), DEADLINE).await.is_ok();
                    let mut calls = calls.lock().unwrap();
                    calls.0 += u64::from(answered);
                    calls.1 += u64::from(!answered);
                }
            };
            process.run_until_cancelled(calling).await;
        });
    }

    async fn trouble(&self) {
        let end = Instant::now() + TROUBLE;
        while Instant::now() < end {
            sleep(self.around.random.millis(50, 1_500)).await;
            self.around.checks.check();
            self.check_leaders();
            self.check_active();
            self.mishap().await;
        }
    }

    /// Looks at which actors are active where.
    fn check_active(&self) {
        let sidecars = self.around.sidecars.lock().unwrap().clone();
        let mut active: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (number, sidecar) in &sidecars {
            for actor_type in ["a", "b"] {
                let page = sidecar.service.active(actor_type, "", 100).unwrap();
                for actor in page.actors {
                    active.entry(format!("{actor_type}/{}", actor.id)).or_default().push(*number);
                }
            }
        }
        active.iter().for_each(|(actor, sidecars)| self.around.checks.active(actor, sidecars));
    }

    fn check_leaders(&self) {
        let leaders = self.around.cluster.lock().unwrap().values().filter(|one| one.lease().is_some()).count();
        if leaders > 1 {
            self.around.checks.fail(format!("{leaders} replicas lead at once"));
        }
    }

    async fn mishap(&self) {
        let Surroundings { network, random, checks, .. } = &self.around;
        let (one, other) = (self.any(), self.any());
        let for_a_while = random.millis(100, 12_000);
        match random.below(10) {
            0 | 1 => self.crash_sidecar(random.index(SIDECARS), for_a_while),
            2 => self.crash_replica(random.index(self.around.replicas), for_a_while),
            3 | 4 => {
                checks.note(&format!("{one:?} and {other:?} are cut off from each other"));
                network.cut(one, other);
                self.later(for_a_while, move |around| around.network.mend(one, other));
            }
            5 => {
                checks.note(&format!("{one:?} is cut off"));
                network.isolate(one);
                self.later(for_a_while, move |around| around.network.rejoin(one));
            }
            6 | 7 => {
                let broken = checks.break_one(random);
                let random = random.clone();
                self.tasks.spawn_until_stopped(async move {
                    if let Some(broken) = broken {
                        broken.break_down(&random).await;
                    }
                });
            }
            8 => {
                let by = random.millis(500, 15_000);
                checks.jumped(by);
                advance(by).await;
            }
            _ => self.change_types(random.index(SIDECARS)).await,
        }
    }

    fn any(&self) -> Node {
        let random = &self.around.random;
        if random.one_in(3) {
            Node::Replica(random.index(self.around.replicas))
        } else {
            Node::Sidecar(random.index(SIDECARS))
        }
    }

    fn later(&self, time: Duration, then: impl FnOnce(&Surroundings) + Send + 'static) {
        let around = self.around.clone();
        self.tasks.spawn_until_stopped(async move {
            sleep(time).await;
            then(&around);
        });
    }

    /// At once, or in good order.
    fn crash_sidecar(&self, number: usize, down: Duration) {
        let Some(sidecar) = self.around.sidecars.lock().unwrap().get(&number).cloned() else { return };
        let world = self.clone();
        let orderly = self.around.random.one_in(3);
        self.tasks.spawn_until_stopped(async move {
            world.around.checks.note(&format!("sidecar {number} ends, orderly: {orderly}"));
            world.around.checks.leaves(number);
            if orderly {
                sidecar.service.end().await;
            }
            Sidecar::kill(number, &world.around);
            world.around.checks.has_left(number);
            sleep(down).await;
            world.revive_sidecar(number).await;
        });
    }

    async fn revive_sidecar(&self, number: usize) {
        if !self.around.sidecars.lock().unwrap().contains_key(&number) {
            self.start_sidecar(number).await;
        }
    }

    fn crash_replica(&self, place: usize, down: Duration) {
        let Surroundings { network, checks, cluster, .. } = &self.around;
        checks.note(&format!("replica {place} dies"));
        checks.forgot();
        Replica::kill(place, (cluster, network));
        let world = self.clone();
        self.tasks.spawn_until_stopped(async move {
            sleep(down).await;
            world.revive_replica(place);
        });
    }

    fn revive_replica(&self, place: usize) {
        if !self.around.cluster.lock().unwrap().contains_key(&place) {
            self.around.checks.note(&format!("replica {place} starts"));
            self.start_replica(place);
        }
    }

    /// The app is gone, and is back with other types.
    async fn change_types(&self, number: usize) {
        let Some(sidecar) = self.around.sidecars.lock().unwrap().get(&number).cloned() else { return };
        let types = self.types(number);
        self.around.checks.note(&format!("the app of sidecar {number} is another one, with {types:?}"));
        let (pause, checks) = (self.around.random.millis(0, 1_000), self.around.checks.clone());
        self.tasks.spawn_until_stopped(async move {
            checks.leaves(number);
            sidecar.service.unhost().await;
            checks.has_left(number);
            sleep(pause).await;
            sidecar.host(types);
        });
    }

    /// All is well again, and after a while everything must work.
    async fn recover(&self) {
        self.around.checks.note("all is well again");
        self.around.network.mend_all();
        self.quiet.cancel();
        for place in 0..self.around.replicas {
            self.revive_replica(place);
        }
        for number in 0..SIDECARS {
            self.revive_sidecar(number).await;
        }
        let end = Instant::now() + RECOVERY;
        while Instant::now() < end {
            sleep(Duration::from_secs(1)).await;
            self.around.checks.check();
            self.check_leaders();
            self.check_active();
        }
        self.tasks.stop();
        let sidecars = self.around.sidecars.lock().unwrap().clone();
        for (number, sidecar) in &sidecars {
            let status = sidecar.service.status();
            if !matches!(status, RuntimeStatus::Running { ready: true, .. }) {
                self.around.checks.fail(format!("sidecar {number} is not in step: {status:?}"));
            }
            let called = call(sidecar, (&self.around.random, &self.around.checks), Duration::from_secs(10)).await;
            called.unwrap_or_else(|error| self.around.checks.fail(format!("a call from sidecar {number}: {error}")));
        }
        if self.around.checks.running() > 0 {
            self.around.checks.fail("calls run that nobody waits for".to_owned());
        }
    }

    fn end(&self) {
        for number in 0..SIDECARS {
            Sidecar::kill(number, &self.around);
        }
        for place in 0..self.around.replicas {
            Replica::kill(place, (&self.around.cluster, &self.around.network));
        }
        self.around.checks.tasks().stop();
    }
}

impl Clone for World {
    fn clone(&self) -> Self {
        let (around, tasks) = (self.around.clone(), self.tasks.clone());
        Self { around, tasks, quiet: self.quiet.clone(), calls: Arc::clone(&self.calls) }
    }
}

/// Calls any actor.
async fn call(sidecar: &Sidecar, (random, checks): (&Random, &Checks), deadline: Duration) -> Result<(), String> {
    let actor_type = if random.one_in(2) { "a" } else { "b" };
    let actor = ActorKey::new(actor_type, random.below(IDS).to_string());
    let call = Call { actor, method: "m".to_owned(), ..Call::default() };
    let headers = HeaderMap::new();
    let called = timeout(deadline, checks.caller(sidecar.service.invoke(call, &headers))).await;
    match called {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}
