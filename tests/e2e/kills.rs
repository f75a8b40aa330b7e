//! A scheduler that is killed again and again, at moments that nobody chooses, while jobs come in and go out: none is lost, and none
//! comes again once its end is on the disk.
//!
//! `TRILBY_KILLS` is how often it is killed, `TRILBY_JOBS_PER_SECOND` how many jobs come in meanwhile.
use crate::scheduler::{Scheduler, job, watch};
use crate::wait::until;
use foundation_drain::Drain;
use rand::Rng;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use wire::etcd::etcdserverpb::watch_request::RequestUnion;
use wire::etcd::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use wire::etcd::mvccpb::event::EventType;

const KILLS: usize = 5;
const JOBS_PER_SECOND: usize = 300;
const CALLERS: usize = 50;
/// How far in the future jobs are due, at most.
const LATER: u64 = 500;
/// Longest time between two kills.
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
}

/// Writes down what the store says of ends. The watch begins before anybody takes jobs.
async fn follow_store(scheduler: &Scheduler, ledger: &Ledger, drain: &Drain) {
    let (requests, sent) = mpsc::channel(1);
    let create = WatchCreateRequest { key: "dapr/jobs/".into(), range_end: "dapr/jobs0".into(), ..Default::default() };
    requests.send(WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) }).await.unwrap();
    let mut changes = scheduler.changes().watch(ReceiverStream::new(sent)).await.unwrap().into_inner();
    assert!(changes.message().await.unwrap().unwrap().created);
    let ledger = ledger.clone();
    drain.spawn_until_stopped(async move {
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
    let pause = Duration::from_secs(CALLERS as u64) / u32::try_from(per_second).unwrap();
    for caller in 0..CALLERS {
        let (mut client, ledger) = (scheduler.client(), ledger.clone());
        let life = ledger.known().life;
        drain.spawn_until_stopped(async move {
            let mut ticks = tokio::time::interval(pause);
            for number in 0.. {
                ticks.tick().await;
                let name = format!("{life}-{caller}-{number}");
                let due = format!("{}ms", rand::rng().random_range(0..LATER));
                if client.schedule_job(job(&name, &due)).await.is_err() {
                    return;
                }
                ledger.known().acknowledge(name);
            }
        });
    }
}

/// Lets a scheduler work until some jobs have been registered since it was started, at most those of a second, and kills it.
async fn live(scheduler: &mut Scheduler, ledger: &Ledger, per_second: usize) {
    let drain = Drain::new();
    let before = ledger.known().acknowledged.len();
    let most = rand::rng().random_range(1..=per_second);
    follow_store(scheduler, ledger, &drain).await;
    take_jobs(scheduler, ledger, &drain).await;
    register(scheduler, ledger, per_second, &drain);
    let enough = until("jobs are registered", async || ledger.known().acknowledged.len() >= before + most);
    // A machine that is slow may not get so far.
    tokio::time::timeout(LIFE, enough).await.ok();
    scheduler.kill();
    drain.close(GRACE).await;
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
    let start = Instant::now();
    for _ in 0..kills {
        live(&mut scheduler, &ledger, per_second).await;
        ledger.known().life += 1;
        scheduler.restart().await;
    }
    let drain = Drain::new();
    follow_store(&scheduler, &ledger, &drain).await;
    take_jobs(&scheduler, &ledger, &drain).await;
    until("all jobs have come", async || ledger.known().lost().is_empty()).await;
    until("all of them are done", async || scheduler.stored().await == 0).await;
    drain.close(GRACE).await;
    let known = ledger.known();
    println!(
        "{} jobs and {kills} kills in {:?}: {} jobs came again whose end was not on the disk yet",
        known.acknowledged.len(),
        start.elapsed(),
        known.again
    );
    assert!(known.wrong.is_empty(), "{:?}", known.wrong);
}
