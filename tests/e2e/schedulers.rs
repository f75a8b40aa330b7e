//! Three schedulers that keep their jobs together, one of which is killed.
use crate::authority::Sentry;
use crate::scheduler::{Scheduler, job};
use crate::sidecar::free_port;
use crate::wait::until;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use wire::etcd::etcdserverpb::kv_client::KvClient;
use wire::etcd::etcdserverpb::maintenance_client::MaintenanceClient;
use wire::etcd::etcdserverpb::{RangeRequest, StatusRequest};
use wire::scheduler::v1::scheduler_client::SchedulerClient;
use wire::scheduler::v1::watch_jobs_request::WatchJobRequestType;
use wire::scheduler::v1::{WatchJobsRequest, WatchJobsRequestInitial, WatchJobsRequestResult};

/// Longest wait for what a killed scheduler had to do: its lease, twice, and more on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(180);
/// Of one call.
const CALL: Duration = Duration::from_secs(10);
/// Jobs of each round.
const JOBS: usize = 30;

/// Three schedulers, by their numbers.
struct Cluster {
    schedulers: Vec<Scheduler>,
}

impl Cluster {
    async fn start(flags: &[String]) -> Self {
        let mut schedulers = Vec::new();
        for own in own_flags(flags) {
            schedulers.push(Scheduler::with(own).await);
        }
        Self { schedulers }
    }

    /// The scheduler whose store leads, as one of the others says.
    async fn leader(&self, asked: usize) -> usize {
        let mut leader = None;
        until("a store leads", async || {
            let known = status(&self.schedulers[asked]).await.map_or(0, |(_, leader)| leader);
            for (number, scheduler) in self.schedulers.iter().enumerate() {
                if known != 0 && status(scheduler).await.is_some_and(|(own, _)| own == known) {
                    leader = Some(number);
                }
            }
            leader.is_some()
        })
        .await;
        leader.unwrap()
    }
}

/// The flags of each.
fn own_flags(flags: &[String]) -> [Vec<String>; 3] {
    let names = [0, 1, 2].map(|number| format!("s{number}=http://127.0.0.1:{}", free_port()));
    [0, 1, 2].map(|number| {
        let own = [format!("--id=s{number}"), format!("--etcd-initial-cluster={}", names.join(","))];
        [&own, flags].concat()
    })
}

/// Who a member is, and who leads as far as it knows.
async fn status(scheduler: &Scheduler) -> Option<(u64, u64)> {
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", scheduler.etcd_port())).unwrap();
    let status = timeout(CALL, MaintenanceClient::new(endpoint.connect_lazy()).status(StatusRequest {})).await;
    let status = status.ok()?.ok()?.into_inner();
    Some((status.header?.member_id, status.leader))
}

/// How many jobs a scheduler's store has, if it can tell.
async fn stored(scheduler: &Scheduler) -> Option<i64> {
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", scheduler.etcd_port())).unwrap();
    let (key, range_end) = ("dapr/jobs/".into(), "dapr/jobs0".into());
    let request = RangeRequest { key, range_end, count_only: true, ..RangeRequest::default() };
    let found = timeout(CALL, KvClient::new(endpoint.connect_lazy()).range(request)).await;
    Some(found.ok()?.ok()?.into_inner().count)
}

/// When the first trigger of each job came.
type Arrivals = Arc<Mutex<HashMap<String, Instant>>>;

/// Takes triggers of a scheduler, again and again while it is away.
async fn take(mut client: SchedulerClient<Channel>, arrivals: Arrivals) {
    loop {
        take_once(&mut client, &arrivals).await;
        sleep(Duration::from_millis(100)).await;
    }
}

/// Nothing when the stream has ended.
async fn take_once(client: &mut SchedulerClient<Channel>, arrivals: &Arrivals) -> Option<()> {
    let (requests, sent) = mpsc::channel(64);
    let initial = WatchJobsRequestInitial { app_id: "app".into(), namespace: "default".into(), ..Default::default() };
    let first = WatchJobRequestType::Initial(initial);
    requests.send(WatchJobsRequest { watch_job_request_type: Some(first) }).await.ok()?;
    // A stream has no end of its own, only its beginning is to come in time.
    let mut triggers = timeout(CALL, client.watch_jobs(ReceiverStream::new(sent))).await.ok()?.ok()?.into_inner();
    loop {
        let trigger = triggers.message().await.ok()??;
        arrivals.lock().unwrap().entry(trigger.name).or_insert_with(Instant::now);
        let result = WatchJobRequestType::Result(WatchJobsRequestResult { id: trigger.id, status: 0 });
        requests.send(WatchJobsRequest { watch_job_request_type: Some(result) }).await.ok()?;
    }
}

/// Schedules jobs at any scheduler that takes them; returns before when none of them may come.
async fn schedule(cluster: &Cluster, round: usize) -> HashMap<String, Instant> {
    let mut due = HashMap::new();
    for number in 0..JOBS {
        let (name, seconds) = (format!("{round}-{number}"), 1 + number as u64 % 10);
        let mut tries = 0;
        loop {
            let begun = Instant::now();
            let mut client = cluster.schedulers[(number + tries) % 3].client();
            let request = job(&name, &format!("{seconds}s"));
            if timeout(CALL, client.schedule_job(request)).await.is_ok_and(|scheduled| scheduled.is_ok()) {
                due.insert(name, begun + Duration::from_secs(seconds));
                break;
            }
            tries += 1;
            assert!(tries < 100, "nobody takes a job");
        }
    }
    due
}

async fn arrived(arrivals: &Arrivals, due: &HashMap<String, Instant>) {
    let missing = || {
        let arrivals = arrivals.lock().unwrap();
        due.keys().filter(|name| !arrivals.contains_key(*name)).cloned().collect::<Vec<_>>()
    };
    let all = async {
        while !missing().is_empty() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(PATIENCE, all).await.is_ok(), "lost: {:?}", missing());
    let arrivals = arrivals.lock().unwrap();
    // The schedulers count in whole seconds of the wall clock, the test in its own.
    let early = |name: &String, due: &Instant| arrivals[name] + Duration::from_secs(1) < *due;
    let early: Vec<_> = due.iter().filter(|(name, due)| early(name, due)).map(|(name, _)| name).collect();
    assert!(early.is_empty(), "too early: {early:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_three_schedulers_survive_kills_of_any_one() {
    let mut cluster = Cluster::start(&[]).await;
    let (arrivals, mut takers) = (Arrivals::default(), JoinSet::new());
    for scheduler in &cluster.schedulers {
        takers.spawn(take(scheduler.client(), Arc::clone(&arrivals)));
    }
    arrived(&arrivals, &schedule(&cluster, 0).await).await;
    for round in [1, 2] {
        let mut due = schedule(&cluster, round * 10).await;
        let leader = cluster.leader(0).await;
        // The leader first, then one that follows.
        let killed = if round == 1 { leader } else { (leader + 1) % 3 };
        cluster.schedulers[killed].kill();
        due.extend(schedule(&cluster, round * 10 + 1).await);
        cluster.schedulers[killed].restart().await;
        due.extend(schedule(&cluster, round * 10 + 2).await);
        arrived(&arrivals, &due).await;
    }
    for scheduler in &cluster.schedulers {
        until("all jobs are done everywhere", async || stored(scheduler).await == Some(0)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_lost_its_disk_gets_all_from_the_others() {
    let mut cluster = Cluster::start(&[]).await;
    cluster.leader(0).await;
    for number in 0..JOBS {
        let request = job(&number.to_string(), "1000h");
        until("a job is taken", async || {
            cluster.schedulers[number % 3].client().schedule_job(request.clone()).await.is_ok()
        })
        .await;
    }
    cluster.schedulers[1].kill();
    cluster.schedulers[1].forget();
    cluster.schedulers[1].restart().await;
    until("it has all jobs", async || stored(&cluster.schedulers[1]).await == Some(30)).await;
    // It is one of most members now.
    cluster.schedulers[2].kill();
    until("jobs are taken", async || {
        timeout(CALL, cluster.schedulers[1].client().schedule_job(job("x", "1000h"))).await.is_ok_and(|job| job.is_ok())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schedulers_with_identities_keep_jobs_together_and_refuse_strangers() {
    let sentry = Sentry::start().await;
    let flags = vec![
        "--tls-enabled".to_owned(),
        format!("--sentry-address=127.0.0.1:{}", sentry.port),
        format!("--trust-anchors-file={}", sentry.roots().display()),
    ];
    let mut cluster = Cluster::start(&flags).await;
    let leader = cluster.leader(0).await;
    // Certificates live for a second: connections are made with new ones all the time.
    let signed = sentry.signed().await;
    until("certificates were renewed", async || sentry.signed().await >= signed + 6).await;
    cluster.schedulers[leader].kill();
    assert_ne!(cluster.leader((leader + 1) % 3).await, leader);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_schedulers_begin_and_the_third_joins_them() {
    let [first, second, third] = own_flags(&[]);
    let (first, second) = (Scheduler::with(first).await, Scheduler::with(second).await);
    until("two schedulers share the jobs", async || first.hosts().await.len() == 2).await;
    second.client().schedule_job(job("a", "1000h")).await.unwrap();
    let third = Scheduler::with(third).await;
    until("three schedulers share the jobs", async || third.hosts().await.len() == 3).await;
    assert!(third.has_job("a").await && first.hosts().await.len() == 3);
}
