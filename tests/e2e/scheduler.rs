//! A scheduler that is killed while jobs come in and go out.
use crate::client::over_tcp;
use crate::sidecar::{binary, free_port};
use crate::wait::until;
use bytes::Bytes;
use http::{Method, StatusCode};
use std::collections::HashSet;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendError;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};
use wire::common::v1::JobStatus;
use wire::etcd::etcdserverpb::kv_client::KvClient;
use wire::etcd::etcdserverpb::watch_client::WatchClient;
use wire::etcd::etcdserverpb::{PutRequest, RangeRequest};
use wire::scheduler::v1::job_target_metadata::Type;
use wire::scheduler::v1::scheduler_client::SchedulerClient;
use wire::scheduler::v1::watch_jobs_request::WatchJobRequestType;
use wire::scheduler::v1::{
    GetJobRequest, Job, JobMetadata, JobTargetMetadata, ListJobsRequest, ScheduleJobRequest, TargetJob,
    WatchHostsRequest, WatchJobsRequest, WatchJobsRequestInitial, WatchJobsRequestResult, WatchJobsResponse,
};

const CALLERS: usize = 16;
/// Acknowledged jobs after which the scheduler is killed.
const ENOUGH: [usize; 3] = [40, 150, 400];
const PATIENCE: Duration = Duration::from_secs(30);

/// What is a scheduler.
#[derive(Clone)]
pub(crate) struct Program {
    path: PathBuf,
    /// In front of the flags.
    words: &'static [&'static str],
}

impl Program {
    pub(crate) fn own() -> Self {
        Self { path: binary(), words: &["scheduler"] }
    }

    /// Dapr's, or another one that takes its flags.
    pub(crate) fn other(path: PathBuf) -> Self {
        Self { path, words: &[] }
    }
}

/// A running scheduler; it is killed when dropped.
pub(crate) struct Scheduler {
    program: Program,
    child: Child,
    folder: TempDir,
    ports: [u16; 4],
    flags: Vec<String>,
}

impl Scheduler {
    pub(crate) async fn start() -> Self {
        Self::with(Vec::new()).await
    }

    /// One with more flags.
    pub(crate) async fn with(flags: Vec<String>) -> Self {
        Self::of(Program::own(), flags).await
    }

    /// Of another program, with more flags.
    pub(crate) async fn of(program: Program, flags: Vec<String>) -> Self {
        let (folder, ports) = (tempfile::tempdir().unwrap(), [0; 4].map(|_| free_port()));
        let scheduler = Self { child: spawn(&program, &folder, ports, &flags), program, folder, ports, flags };
        scheduler.ready().await;
        scheduler
    }

    pub(crate) async fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.program, &self.folder, self.ports, &self.flags);
        self.ready().await;
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Lets it end, and waits for that.
    pub(crate) async fn end(&mut self) {
        self.signal("-TERM");
        until("the scheduler has ended", async || self.child.try_wait().unwrap().is_some()).await;
    }

    async fn ready(&self) {
        let health = self.ports[1];
        let is_ready = async || {
            let answer = over_tcp(health, Method::GET, "/healthz", Bytes::new()).await;
            answer.is_ok_and(|(status, _)| status == StatusCode::OK)
        };
        until("the scheduler is ready", is_ready).await;
    }

    /// Where etcd's API is.
    pub(crate) fn etcd_port(&self) -> u16 {
        self.ports[3]
    }

    /// Its disk is empty from now on.
    pub(crate) fn forget(&self) {
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
        }
    }

    /// Where sidecars find it.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// A client without an identity.
    pub(crate) fn client(&self) -> SchedulerClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", self.ports[0])).unwrap();
        SchedulerClient::new(endpoint.timeout(PATIENCE).connect_lazy())
    }

    /// Its store.
    fn etcd(&self) -> KvClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", self.etcd_port())).unwrap();
        KvClient::new(endpoint.timeout(PATIENCE).connect_lazy())
    }

    /// What changes in its store.
    pub(crate) fn changes(&self) -> WatchClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", self.etcd_port())).unwrap();
        WatchClient::new(endpoint.connect_lazy())
    }

    /// How many jobs and reminders there are in its store.
    pub(crate) async fn stored(&self) -> i64 {
        let (key, range_end) = ("dapr/jobs/".into(), "dapr/jobs0".into());
        let request = RangeRequest { key, range_end, count_only: true, ..RangeRequest::default() };
        self.etcd().range(request).await.unwrap().into_inner().count
    }

    /// Puts a record without a value into its store.
    pub(crate) async fn put(&self, key: &str) {
        let request = PutRequest { key: key.to_owned().into(), ..PutRequest::default() };
        self.etcd().put(request).await.unwrap();
    }

    /// The keys in its store that start so; the last byte of the prefix is less than 255.
    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        let mut end = prefix.as_bytes().to_vec();
        *end.last_mut().unwrap() += 1;
        let (key, range_end) = (prefix.to_owned().into(), end.into());
        let request = RangeRequest { key, range_end, keys_only: true, ..RangeRequest::default() };
        let found = self.etcd().range(request).await.unwrap().into_inner().kvs;
        found.iter().map(|kv| String::from_utf8(kv.key.to_vec()).unwrap()).collect()
    }

    /// Where all schedulers of its cluster are.
    pub(crate) async fn hosts(&self) -> Vec<String> {
        let mut answers = self.client().watch_hosts(WatchHostsRequest {}).await.unwrap().into_inner();
        let answer = answers.message().await.unwrap().unwrap_or_default();
        answer.hosts.into_iter().map(|host| host.address).collect()
    }

    /// How far a job of an app is.
    pub(crate) async fn status(&self, app_id: &str, name: &str) -> JobStatus {
        let metadata = Some(JobMetadata { app_id: app_id.to_owned(), ..metadata() });
        let request = GetJobRequest { name: name.to_owned(), metadata };
        self.client().get_job(request).await.unwrap().into_inner().status.unwrap()
    }

    pub(crate) async fn has_job(&self, name: &str) -> bool {
        let request = GetJobRequest { name: name.to_owned(), metadata: Some(metadata()) };
        self.client().get_job(request).await.is_ok()
    }

    pub(crate) async fn names(&self) -> HashSet<String> {
        let list = ListJobsRequest { metadata: Some(metadata()) };
        let jobs = self.client().list_jobs(list).await.unwrap().into_inner().jobs;
        jobs.into_iter().map(|job| job.name).collect()
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(program: &Program, folder: &TempDir, ports: [u16; 4], flags: &[String]) -> Child {
    let mut command = Command::new(&program.path);
    command.args(program.words).args(["--listen-address=127.0.0.1", "--etcd-client-listen-address=127.0.0.1"]);
    command.arg("--etcd-data-dir").arg(folder.path());
    let names = ["port", "healthz-port", "metrics-port", "etcd-client-port"];
    command.args(names.iter().zip(ports).map(|(name, port)| format!("--{name}={port}")));
    command.args(flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn metadata() -> JobMetadata {
    let target = Some(JobTargetMetadata { r#type: Some(Type::Job(TargetJob {})) });
    JobMetadata { app_id: "app".into(), namespace: "default".into(), target, ..JobMetadata::default() }
}

/// A job of an app.
pub(crate) fn job(name: &str, due: &str) -> ScheduleJobRequest {
    let job = Job { due_time: Some(due.to_owned()), ..Job::default() };
    ScheduleJobRequest { name: name.to_owned(), job: Some(job), metadata: Some(metadata()), overwrite: true }
}

/// Schedules jobs from many callers until the scheduler is gone; tells of each that is acknowledged.
pub(crate) fn schedule(client: &SchedulerClient<Channel>, round: usize) -> (JoinSet<()>, mpsc::Receiver<String>) {
    let (acknowledged, received) = mpsc::channel(CALLERS);
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (mut client, acknowledged) = (client.clone(), acknowledged.clone());
        callers.spawn(async move {
            for number in 0.. {
                let name = format!("{round}-{caller}-{number}");
                if client.schedule_job(job(&name, "1000h")).await.is_err() || acknowledged.send(name).await.is_err() {
                    return;
                }
            }
        });
    }
    (callers, received)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_job_survives_kill_9() {
    let mut scheduler = Scheduler::start().await;
    let mut acknowledged = HashSet::new();
    for (round, enough) in ENOUGH.into_iter().enumerate() {
        let (mut callers, mut received) = schedule(&scheduler.client(), round);
        for _ in 0..enough {
            acknowledged.insert(received.recv().await.unwrap());
        }
        scheduler.kill();
        while let Some(name) = received.recv().await {
            acknowledged.insert(name);
        }
        while callers.join_next().await.is_some() {}
        scheduler.restart().await;
        let lost: Vec<_> = acknowledged.difference(&scheduler.names().await).cloned().collect();
        assert!(lost.is_empty(), "round {round}: {lost:?}");
    }
}

/// What a sidecar says of triggers.
pub(crate) struct Answers(mpsc::Sender<WatchJobsRequest>);

impl Answers {
    /// A trigger has succeeded.
    pub(crate) async fn succeeded(&self, id: u64) -> Result<(), SendError<WatchJobsRequest>> {
        let result = WatchJobRequestType::Result(WatchJobsRequestResult { id, status: 0 });
        self.0.send(WatchJobsRequest { watch_job_request_type: Some(result) }).await
    }
}

/// Connects as a sidecar of the app does.
pub(crate) async fn watch(client: &mut SchedulerClient<Channel>) -> (Streaming<WatchJobsResponse>, Answers) {
    let (requests, sent) = mpsc::channel(64);
    let initial = WatchJobsRequestInitial { app_id: "app".into(), namespace: "default".into(), ..Default::default() };
    let first = WatchJobRequestType::Initial(initial);
    requests.send(WatchJobsRequest { watch_job_request_type: Some(first) }).await.unwrap();
    let triggers = client.watch_jobs(ReceiverStream::new(sent)).await.unwrap().into_inner();
    (triggers, Answers(requests))
}

/// Takes triggers until so many jobs have come, and answers for each; returns their names.
pub(crate) async fn take(scheduler: &Scheduler, count: usize) -> HashSet<String> {
    let (mut triggers, answers) = watch(&mut scheduler.client()).await;
    let mut names = HashSet::new();
    while names.len() < count {
        let trigger = tokio::time::timeout(PATIENCE, triggers.message()).await.unwrap().unwrap().unwrap();
        names.insert(trigger.name);
        answers.succeeded(trigger.id).await.unwrap();
    }
    until("all jobs are done", async || scheduler.names().await.is_empty()).await;
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_due_while_nobody_was_there_is_triggered_later() {
    let mut scheduler = Scheduler::start().await;
    let names: HashSet<_> = (0..50).map(|number| number.to_string()).collect();
    for name in &names {
        scheduler.client().schedule_job(job(name, "0s")).await.unwrap();
    }
    scheduler.restart().await;
    assert_eq!(take(&scheduler, names.len()).await, names);
    scheduler.restart().await;
    assert!(scheduler.names().await.is_empty());
}
