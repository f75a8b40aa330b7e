//! Two schedulers of one etcd, one of which may be Dapr's: they agree on who runs what, and each runs what the other has written.
//!
//! `OTHER_SCHEDULER` is the program of the second one; without it, it is Trilby's too.
use crate::etcd::Cluster;
use crate::scheduler::{Answers, Program, Scheduler, job, watch};
use crate::wait::until;
use foundation_drain::Drain;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tonic::Streaming;
use wire::common::v1::MisfirePolicy;
use wire::scheduler::v1::{GetJobRequest, Job, ListJobsRequest, ScheduleJobRequest, WatchJobsResponse};

const GRACE: Duration = Duration::from_secs(5);
/// Of each scheduler: the chance that all partitions are one's is nil.
const JOBS: usize = 40;
/// Of a job that is handed over.
const TICKS: usize = 40;

/// Which scheduler of the two has sent what, by the name of the job, in the order in which it came. Clones share it.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<String, Vec<usize>>>>);

impl Seen {
    /// Takes the jobs of a scheduler, and answers for each.
    async fn follow(&self, number: usize, scheduler: &Scheduler, drain: &Drain) {
        let (triggers, answers) = watch(&mut scheduler.client()).await;
        drain.spawn_until_stopped(self.clone().take(number, triggers, answers));
    }

    async fn take(self, number: usize, mut triggers: Streaming<WatchJobsResponse>, answers: Answers) {
        while let Ok(Some(trigger)) = triggers.message().await {
            if trigger.name.starts_with("policy") {
                assert_eq!(
                    trigger.metadata.unwrap().misfire_policy(),
                    MisfirePolicy::FireOnce,
                    "it came from {number}"
                );
            }
            self.0.lock().unwrap().entry(trigger.name).or_default().push(number);
            if answers.succeeded(trigger.id).await.is_err() {
                return;
            }
        }
    }

    /// Who has sent a job.
    fn of(&self, name: &str) -> Vec<usize> {
        self.0.lock().unwrap().get(name).cloned().unwrap_or_default()
    }
}

/// The other scheduler.
fn other() -> Program {
    #[allow(clippy::disallowed_methods)] // A test has no options.
    let path = std::env::var_os("OTHER_SCHEDULER");
    path.map_or_else(Program::own, |path| Program::other(path.into()))
}

async fn member(cluster: &Cluster, program: Program, id: &str) -> Scheduler {
    let mut flags = cluster.flags();
    flags.push(format!("--id={id}"));
    flags.push(format!("--etcd-initial-cluster={id}=http://127.0.0.1:1"));
    Scheduler::of(program, flags).await
}

/// A job that says what is to become of ticks that were missed, which Dapr does not know.
fn with_policy(name: &str, schedule: Option<&str>, due: &str) -> ScheduleJobRequest {
    let mut request = job(name, due);
    request.metadata.as_mut().unwrap().misfire_policy = MisfirePolicy::FireOnce.into();
    request.job = Some(Job { schedule: schedule.map(str::to_owned), ..request.job.unwrap() });
    request
}

/// Both agree that there are so many.
async fn agree(schedulers: &[&Scheduler]) {
    until("the schedulers agree", async || {
        let mut agree = true;
        for scheduler in schedulers {
            agree = agree && scheduler.hosts().await.len() == schedulers.len();
        }
        agree
    })
    .await;
}

/// Whether jobs and policies can be read through a scheduler, whoever has written them.
async fn read_all(scheduler: &Scheduler, count: usize) {
    let metadata = job("", "").metadata;
    let jobs = scheduler.client().list_jobs(ListJobsRequest { metadata: metadata.clone() }).await.unwrap();
    let jobs = jobs.into_inner().jobs;
    assert_eq!(jobs.len(), count);
    let policy = jobs.iter().find(|job| job.name == "policy-later").unwrap();
    assert_eq!(policy.metadata.as_ref().unwrap().misfire_policy(), MisfirePolicy::FireOnce);
    for job in jobs {
        let request = GetJobRequest { name: job.name.clone(), metadata: metadata.clone() };
        assert_eq!(scheduler.client().get_job(request).await.unwrap().into_inner().job, job.job, "{}", job.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs etcd: run ./test components"]
async fn two_schedulers_run_what_the_other_has_written() {
    let cluster = Cluster::start().await;
    let (mut own, mut other) = (member(&cluster, Program::own(), "a").await, member(&cluster, other(), "b").await);
    agree(&[&own, &other]).await;
    let (seen, drain) = (Seen::default(), Drain::new());
    for number in 0..JOBS {
        own.client().schedule_job(with_policy(&format!("policy-{number}"), None, "3s")).await.unwrap();
        other.client().schedule_job(job(&format!("plain-{number}"), "3s")).await.unwrap();
    }
    own.client().schedule_job(with_policy("policy-later", None, "100h")).await.unwrap();
    let mut ticking = with_policy("policy-ticking", Some("@every 500ms"), "0s");
    ticking.job.as_mut().unwrap().repeats = u32::try_from(TICKS).ok();
    own.client().schedule_job(ticking).await.unwrap();
    for scheduler in [&own, &other] {
        read_all(scheduler, 2 * JOBS + 2).await;
    }
    seen.follow(0, &own, &drain).await;
    seen.follow(1, &other, &drain).await;
    let names: Vec<_> =
        ["policy", "plain"].iter().flat_map(|kind| (0..JOBS).map(move |n| format!("{kind}-{n}"))).collect();
    until("all jobs have come", async || names.iter().all(|name| !seen.of(name).is_empty())).await;
    for kind in ["policy", "plain"] {
        for scheduler in [0, 1] {
            let has = (0..JOBS).any(|number| seen.of(&format!("{kind}-{number}")) == [scheduler]);
            assert!(has, "scheduler {scheduler} has sent jobs of the kind {kind}");
        }
    }
    assert!(names.iter().all(|name| seen.of(name).len() == 1), "{:?}", seen.0);
    // Each of them ends once, and the other takes over what it had. Nobody takes anything of the first one any more.
    other.end().await;
    agree(&[&own]).await;
    until("the ticking job goes on", async || seen.of("policy-ticking").contains(&0)).await;
    drain.close(GRACE).await;
    let drain = Drain::new();
    for number in 0..JOBS {
        own.client().schedule_job(with_policy(&format!("policy-again-{number}"), None, "1s")).await.unwrap();
    }
    other.restart().await;
    agree(&[&own, &other]).await;
    own.end().await;
    agree(&[&other]).await;
    seen.follow(1, &other, &drain).await;
    let again: Vec<_> = (0..JOBS).map(|number| format!("policy-again-{number}")).collect();
    until("the other has sent them", async || again.iter().all(|name| seen.of(name).contains(&1))).await;
    until("the ticking job is done", async || !other.has_job("policy-ticking").await).await;
    assert!(seen.of("policy-ticking").len() >= TICKS, "{:?}", seen.of("policy-ticking"));
    drain.close(GRACE).await;
}
