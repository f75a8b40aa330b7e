//! A scheduler that is killed again and again, at moments that nobody chooses, while jobs come in and go out: none is lost, and none
//! comes again once its end is on the disk.
//!
//! `TRILBY_KILLS` is how often it is killed, `TRILBY_JOBS_PER_SECOND` how many jobs come in meanwhile. Thousands a second take a release
//! build of the scheduler and of this test (`TRILBY_BIN`, `cargo test --release`).
use crate::scheduler::{Scheduler, job, watch};
use crate::wait::until;
use foundation_drain::Drain;
use rand::Rng;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::interval_at;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use wire::etcd::etcdserverpb::watch_request::RequestUnion;
use wire::etcd::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use wire::etcd::mvccpb::event::EventType;
use wire::scheduler::v1::scheduler_client::SchedulerClient;

const KILLS: usize = 5;
const JOBS_PER_SECOND: usize = 300;
/// Connections, and callers on each: one waits for the disk while others are answered.
const CONNECTIONS: usize = 8;
const CALLERS: usize = 32;
/// How far in the future jobs are due, at most.
const LATER: u64 = 500;
/// Longest time between two kills, from the first registration on.
const LIFE: Duration = Duration::from_secs(3);
const GRACE: Duration = Duration::from_secs(5);

/// What is known of all jobs. Clones share it.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// Of the scheduler, from one start to the next kill.
    life: usize,
    /// Jobs whose registration was acknowledged.
    acknowledged: HashSet<String>,
    /// The life in which each job came last.
    came: HashMap<String, usize>,
    /// Jobs whose end is on the disk.
    done: HashSet<String>,
    again: usize,
    wrong: Vec<String>,
}

impl Ledger {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap()
    }

    /// How many registrations were acknowledged.
    fn acknowledged(&self) -> usize {
        self.known().acknowledged.len()
    }
}

impl Known {
    fn acknowledge(&mut self, name: String) {
        self.acknowledged.insert(name);
    }

    /// A job has come.
    fn take(&mut self, name: &str) {
        if self.done.contains(name) {
            self.wrong.push(format!("{name} came again after its end was on the disk"));
        }
        match self.came.insert(name.to_owned(), self.life) {
            Some(life) if life == self.life => self.wrong.push(format!("{name} came twice between two kills")),
            Some(_) => self.again += 1,
            None => {}
        }
    }

    /// The end of a job is on the disk.
    fn end(&mut self, name: &str) {
        self.done.insert(name.to_owned());
    }

    fn lost(&self) -> Vec<&String> {
        self.acknowledged.iter().filter(|name| !self.came.contains_key(*name)).collect()
    }

    /// `lived` is how long jobs came in, without the pauses of a scheduler that was dead.
    fn summary(&self, kills: usize, lived: Duration) -> String {
        let (jobs, done) = (self.acknowledged.len(), self.done.len());
        let rate = |count: usize| count as f64 / lived.as_secs_f64();
        format!(
            "{kills} kills, {jobs} jobs in {lived:.1?} between them: {:.0} registered/s; {} of {} came again, as their end was not on \
             the disk; {done} ends were seen; wrong: {}",
            rate(jobs),
            self.again,
            self.came.len(),
            self.wrong.len()
        )
    }
}

/// Writes down what the store says of ends, up to the last word of a scheduler that is killed. The watch begins before anybody takes
/// jobs.
async fn follow_store(scheduler: &Scheduler, ledger: &Ledger, drain: &Drain) {
    let (requests, sent) = mpsc::channel(1);
    let create = WatchCreateRequest { key: "dapr/jobs/".into(), range_end: "dapr/jobs0".into(), ..Default::default() };
    requests.send(WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) }).await.unwrap();
    let mut changes = scheduler.changes().watch(ReceiverStream::new(sent)).await.unwrap().into_inner();
    assert!(changes.message().await.unwrap().unwrap().created);
    let ledger = ledger.clone();
    drain.spawn(async move {
        let _open = requests;
        while let Ok(Some(change)) = changes.message().await {
            ends(&change).for_each(|name| ledger.known().end(name));
        }
    });
}

fn ends(change: &WatchResponse) -> impl Iterator<Item = &str> {
    let deleted = change.events.iter().filter(|event| event.r#type() == EventType::Delete);
    deleted.filter_map(|event| std::str::from_utf8(&event.kv.as_ref()?.key).ok()?.rsplit("||").next())
}

/// Takes jobs as a sidecar does, and answers for each.
async fn take_jobs(scheduler: &Scheduler, ledger: &Ledger, drain: &Drain) {
    let (mut triggers, answers) = watch(&mut scheduler.client()).await;
    let ledger = ledger.clone();
    drain.spawn_until_stopped(async move {
        while let Ok(Some(trigger)) = triggers.message().await {
            ledger.known().take(&trigger.name);
            if answers.succeeded(trigger.id).await.is_err() {
                return;
            }
        }
    });
}

/// Registers so many jobs a second, until the scheduler is gone.
fn register(scheduler: &Scheduler, ledger: &Ledger, per_second: usize, drain: &Drain) {
    let pause = Duration::from_secs((CONNECTIONS * CALLERS) as u64) / u32::try_from(per_second).unwrap();
    for connection in 0..CONNECTIONS {
        let client = scheduler.client();
        for caller in 0..CALLERS {
            let (client, ledger) = (client.clone(), ledger.clone());
            drain.spawn_until_stopped(register_one(client, ledger, connection * CALLERS + caller, pause));
        }
    }
}

/// Registers one job after the other. A caller that had to wait is quick until it is where it should be.
async fn register_one(mut client: SchedulerClient<Channel>, ledger: Ledger, caller: usize, pause: Duration) {
    let life = ledger.known().life;
    // Callers take turns.
    let first = Instant::now() + pause.mul_f64(rand::rng().random());
    let mut ticks = interval_at(first.into(), pause);
    for number in 0.. {
        ticks.tick().await;
        let name = format!("{life}-{caller}-{number}");
        let due = format!("{}ms", rand::rng().random_range(0..LATER));
        if client.schedule_job(job(&name, &due)).await.is_err() {
            return;
        }
        ledger.known().acknowledge(name);
    }
}

/// Lets a scheduler work for a while and kills it; returns how long that was.
async fn live(scheduler: &mut Scheduler, ledger: &Ledger, per_second: usize) -> Duration {
    let (drain, before) = (Drain::new(), ledger.acknowledged());
    follow_store(scheduler, ledger, &drain).await;
    take_jobs(scheduler, ledger, &drain).await;
    let start = Instant::now();
    register(scheduler, ledger, per_second, &drain);
    until("a job is registered", async || ledger.acknowledged() > before).await;
    // A moment that nobody chooses, not a time in which something is to happen.
    tokio::time::sleep(LIFE.mul_f64(rand::rng().random())).await;
    scheduler.kill();
    let lived = start.elapsed();
    drain.close(GRACE).await;
    lived
}

fn number(name: &str, default: usize) -> usize {
    #[allow(clippy::disallowed_methods)] // A test has no options.
    let text = std::env::var(name);
    text.map_or(default, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_is_lost_or_comes_after_its_end_whenever_the_scheduler_is_killed() {
    let (kills, per_second) = (number("TRILBY_KILLS", KILLS), number("TRILBY_JOBS_PER_SECOND", JOBS_PER_SECOND));
    let (mut scheduler, ledger) = (Scheduler::start().await, Ledger::default());
    let mut lived = Duration::ZERO;
    for _ in 0..kills {
        lived += live(&mut scheduler, &ledger, per_second).await;
        ledger.known().life += 1;
        scheduler.restart().await;
    }
    let drain = Drain::new();
    follow_store(&scheduler, &ledger, &drain).await;
    take_jobs(&scheduler, &ledger, &drain).await;
    until("all jobs have come", async || ledger.known().lost().is_empty()).await;
    until("all of them are done", async || scheduler.stored().await == 0).await;
    scheduler.kill();
    drain.close(GRACE).await;
    let known = ledger.known();
    println!("{}", known.summary(kills, lived));
    assert!(known.wrong.is_empty(), "{:?}", known.wrong);
}
