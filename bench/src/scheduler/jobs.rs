//! Registering jobs, many at a time.
use super::Scheduler;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use prost_types::Any;
use std::cell::Cell;
use std::time::{Duration, Instant};
use wire::scheduler::v1::job_target_metadata::Type;
use wire::scheduler::v1::{GetJobRequest, Job, JobMetadata, JobTargetMetadata, ScheduleJobRequest, TargetJob};

/// Connections, and callers on each.
const CONNECTIONS: usize = 4;
const CALLERS: usize = 64;
/// Jobs that are due at once, at most: memory compares only where they are as many.
const BURST: usize = 100_000;
/// Registrations after which it is told how many there were.
const TOLD: usize = 100_000;
/// The one app of all jobs.
pub(super) const APP: &str = "bench";
pub(super) const NAMESPACE: &str = "default";

/// Which jobs to register.
pub(super) struct Registrations {
    prefix: &'static str,
    /// When the first is due, from now on, and how long after each other the next ones are.
    due: Duration,
    spread: Duration,
    most: usize,
    during: Duration,
}

/// A question for one job.
pub(super) fn get(name: &str) -> GetJobRequest {
    GetJobRequest { name: name.to_owned(), metadata: Some(metadata()) }
}

fn metadata() -> JobMetadata {
    let target = Some(JobTargetMetadata { r#type: Some(Type::Job(TargetJob {})) });
    JobMetadata { app_id: APP.to_owned(), namespace: NAMESPACE.to_owned(), target, ..JobMetadata::default() }
}

/// What has been registered.
pub(super) struct Registered {
    pub(super) count: usize,
    elapsed: Duration,
}

impl Registrations {
    const ENDLESS: Duration = Duration::from_secs(3_600);

    /// As many as fit into a time, and not more than [`BURST`], all due at once.
    pub(super) fn during(during: Duration, prefix: &'static str, due: Duration) -> Self {
        Self { prefix, due, spread: Duration::ZERO, most: BURST, during }
    }

    /// A number of them, all due at once.
    pub(super) fn most(most: usize, prefix: &'static str, due: Duration) -> Self {
        Self { prefix, due, spread: Duration::ZERO, most, during: Self::ENDLESS }
    }

    /// A number of them, due one after the other.
    pub(super) fn spread(most: usize, spread: Duration, pause: Duration) -> Self {
        // Registering them must not take longer than the pause and what the first wait for.
        let due = pause + Duration::from_millis(most as u64);
        Self { prefix: "spread", due, spread, most, during: Self::ENDLESS }
    }

    fn request(&self, start: Timestamp, number: usize) -> ScheduleJobRequest {
        let spread = self.spread * u32::try_from(number).unwrap_or(u32::MAX);
        let due = start.saturating_add(self.due).and_then(|due| due.saturating_add(spread)).unwrap_or(Timestamp::MAX);
        let data = Some(Any { type_url: String::new(), value: due.as_microsecond().to_be_bytes().to_vec() });
        ScheduleJobRequest {
            name: format!("{}-{number}", self.prefix),
            job: Some(Job { due_time: Some(due.to_string()), data, ..Job::default() }),
            metadata: Some(metadata()),
            overwrite: false,
        }
    }
}

impl Registered {
    pub(super) fn per_second(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64()
    }
}

/// Many take a while.
fn tell(wanted: &Registrations, number: usize) {
    if number > 0 && wanted.most > TOLD && number.is_multiple_of(TOLD) {
        eprintln!("{number} of {} jobs are registered", wanted.most);
    }
}

/// Registers jobs.
pub(super) async fn register(scheduler: &Scheduler, wanted: Registrations) -> anyhow::Result<Registered> {
    let (started, start, next) = (Instant::now(), Timestamp::now(), Cell::new(0));
    let mut callers = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = scheduler.client()?;
        for _ in 0..CALLERS {
            let (mut client, wanted, next) = (client.clone(), &wanted, &next);
            callers.push(async move {
                while next.get() < wanted.most && started.elapsed() < wanted.during {
                    let number = next.replace(next.get() + 1);
                    client.schedule_job(wanted.request(start, number)).await?;
                    tell(wanted, number);
                }
                anyhow::Ok(())
            });
        }
    }
    try_join_all(callers).await?;
    Ok(Registered { count: next.get(), elapsed: started.elapsed() })
}
