//! What is measured of a scheduler with its own store: jobs in, triggers out, and many that wait.
mod jobs;
mod triggers;

use crate::client::Call;
use crate::extremes::Figure;
use crate::process::{Process, free_port, own_cpu};
use foundation_drain::Drain;
use jobs::{Registrations, register};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use triggers::{Seen, watch};
use wire::scheduler::v1::scheduler_client::SchedulerClient;

const MEBIBYTE: f64 = 1024.0 * 1024.0;
/// From the end of the registrations to the moment when all are due.
const PAUSE: Duration = Duration::from_secs(2);
/// In which memory that is not needed any more is given back.
const REST: Duration = Duration::from_secs(10);
/// Jobs a second of which each is due at a time of its own.
const STEADY: usize = 1_000;
/// Until a job is due that is only to be kept.
const LATER: Duration = Duration::from_secs(1_000 * 3_600);

type Client = SchedulerClient<tonic::transport::Channel>;

/// A running scheduler.
struct Scheduler {
    process: Process,
    port: u16,
    start: Duration,
}

impl Scheduler {
    async fn start(path: &Path, folder: &TempDir, drain: &Drain) -> anyhow::Result<Self> {
        let (port, health) = (free_port()?, free_port()?);
        let mut command = Command::new(path);
        command.args(["--listen-address=127.0.0.1", "--etcd-client-listen-address=127.0.0.1", "--log-level=error"]);
        command.args(["--healthz-listen-address=127.0.0.1", "--metrics-listen-address=127.0.0.1"]);
        command.arg(format!("--port={port}")).arg(format!("--healthz-port={health}"));
        command.arg(format!("--metrics-port={}", free_port()?)).arg(format!("--etcd-client-port={}", free_port()?));
        command.arg("--etcd-data-dir").arg(folder.path());
        let started = Instant::now();
        let mut process = Process::start(command)?;
        process.wait_until_ready(health, &Call::control_plane_health(), drain).await?;
        Ok(Self { process, port, start: started.elapsed() })
    }

    fn client(&self) -> anyhow::Result<Client> {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://127.0.0.1:{}", self.port))?;
        Ok(SchedulerClient::new(endpoint.tcp_nodelay(true).connect_lazy()))
    }
}

/// Measures one binary; `stored` is how many jobs lie there while memory and the next start are measured.
pub(crate) async fn measure(
    path: &Path,
    seconds: Duration,
    stored: usize,
    drain: &Drain,
) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let scheduler = Scheduler::start(path, &folder, drain).await?;
    let mut figures = vec![
        ("start to ready (ms)", millis(scheduler.start)),
        ("memory without jobs (MiB)", scheduler.process.memory()? / MEBIBYTE),
    ];
    figures.extend(burst(&scheduler, seconds, drain).await?);
    figures.extend(steady(&scheduler, seconds, drain).await?);
    register(&scheduler, Registrations::most(stored, "stored", LATER)).await?;
    figures.push(("memory with stored jobs (MiB)", scheduler.process.memory()? / MEBIBYTE));
    drop(scheduler);
    let started = Instant::now();
    let scheduler = Scheduler::start(path, &folder, drain).await?;
    // It is answered when all jobs have been read.
    scheduler.client()?.get_job(jobs::get("stored-0")).await?;
    figures.push(("start with stored jobs, to the first answer (ms)", millis(started.elapsed())));
    figures.push(("memory after that start (MiB)", scheduler.process.memory()? / MEBIBYTE));
    Ok(figures)
}

/// As many jobs as can be registered, all of them due at once; and what they leave behind.
async fn burst(scheduler: &Scheduler, seconds: Duration, drain: &Drain) -> anyhow::Result<Vec<Figure>> {
    let mut triggers = watch(scheduler.client()?, drain).await?;
    let before = scheduler.process.cpu()?;
    let registered = register(scheduler, Registrations::during(seconds, "burst", seconds + PAUSE)).await?;
    let between = scheduler.process.cpu()?;
    let own_before = own_cpu()?;
    let seen = Seen::all(&mut triggers, registered.count).await?;
    let (after, own_after) = (scheduler.process.cpu()?, own_cpu()?);
    let each = |cpu: f64| cpu * 1e6 / registered.count as f64;
    let highest = scheduler.process.peak_memory()?;
    tokio::time::sleep(REST).await;
    Ok(vec![
        ("jobs that are due at once", registered.count as f64),
        ("registrations/s", registered.per_second()),
        ("registration: CPU each (us)", each(between - before)),
        ("triggers/s, all due at once", seen.per_second()),
        ("trigger: CPU each (us)", each(after - between)),
        ("trigger: CPU of the client each (us)", each(own_after - own_before)),
        ("memory at its highest until then (MiB)", highest / MEBIBYTE),
        ("memory ten seconds later (MiB)", scheduler.process.memory()? / MEBIBYTE),
    ])
}

/// Jobs that are due one after the other.
async fn steady(scheduler: &Scheduler, seconds: Duration, drain: &Drain) -> anyhow::Result<Vec<Figure>> {
    let mut triggers = watch(scheduler.client()?, drain).await?;
    let count = STEADY * usize::try_from(seconds.as_secs())?;
    let spread = Duration::from_secs(1) / u32::try_from(STEADY)?;
    register(scheduler, Registrations::spread(count, spread, PAUSE)).await?;
    let seen = Seen::all(&mut triggers, count).await?;
    Ok(vec![
        ("lateness p50 at 1,000 triggers/s (ms)", seen.lateness(50)),
        ("lateness p99 at 1,000 triggers/s (ms)", seen.lateness(99)),
    ])
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
