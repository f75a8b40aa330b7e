//! Measures any daprd or scheduler, or two of them in turn, and prints a table: size, start, memory, latency, throughput, CPU.
mod actors;
mod app;
mod backend;
mod cases;
mod client;
mod connection;
mod deliveries;
mod extremes;
mod grpc_app;
mod grpc_client;
mod load;
mod placement;
mod process;
mod rotation;
mod scheduler;
mod sentry;
mod signing;
mod subject;
mod table;

use anyhow::Context;
use backend::Backend;
use cases::{Case, Figures};
use clap::Parser;
use extremes::Extreme;
use foundation_drain::Drain;
use foundation_process::allow_many_open_files;
use std::path::PathBuf;
use std::time::Duration;
use subject::Subject;

/// Measures daprd binaries on loopback, with apps and clients of its own.
///
/// Figures of one run compare with each other only: quote the ratio of two binaries, not a single time.
#[derive(Debug, Parser)]
struct Options {
    /// The daprd to measure.
    #[arg(long, value_name = "PATH", required_unless_present = "scheduler", conflicts_with = "scheduler")]
    daprd: Option<PathBuf>,
    /// The scheduler to measure, with the store of its own.
    #[arg(long, value_name = "PATH")]
    scheduler: Option<PathBuf>,
    /// A second binary of the same kind, measured in turn with the first.
    #[arg(long, value_name = "PATH")]
    vs: Option<PathBuf>,
    /// The sentry that belongs to the first daprd; without one nothing is measured that needs it.
    #[arg(long, value_name = "PATH")]
    sentry: Option<PathBuf>,
    /// The sentry that belongs to the second daprd.
    #[arg(long, value_name = "PATH")]
    vs_sentry: Option<PathBuf>,
    /// The placement service that actors need, a file named `placement`; without one they are not measured.
    #[arg(long, value_name = "PATH")]
    placement: Option<PathBuf>,
    /// Measures nothing, but checks that no call fails while certificates and roots are replaced; the exit code tells.
    #[arg(long, requires_all = ["daprd", "sentry"])]
    rotation: bool,
    /// What state and messages are kept in. A server is started, which has to be installed.
    #[arg(long, value_enum, default_value = "memory")]
    backend: Backend,
    /// Jobs that a scheduler keeps while its memory is measured.
    #[arg(long, default_value_t = 100_000)]
    stored: usize,
    /// How often everything is measured; the table has the medians.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of load for each figure.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Measure only cases whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

/// On one thread: with more, what is measured at one connection is how the client and the app here wake each other.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    allow_many_open_files();
    let drain = Drain::new();
    let first = options.daprd.iter().chain(&options.scheduler).map(|path| (path, &options.sentry));
    let both = first.chain(options.vs.iter().map(|path| (path, &options.vs_sentry)));
    let mut subjects: Vec<_> = both.map(|(path, sentry)| Subject::new(path.clone(), sentry.clone())).collect();
    if options.rotation {
        let components = Backend::Memory.start().await;
        let checked = rotation::check(&subjects[0].binary(&components), &drain).await;
        drain.close(Duration::from_secs(1)).await;
        return checked;
    }
    for round in 1..=options.rounds {
        for subject in &mut subjects {
            eprintln!("round {round} of {}: {}", options.rounds, subject.path.display());
            measure(subject, &options, &drain).await?;
        }
    }
    drain.close(Duration::from_secs(1)).await;
    table::print(&subjects);
    Ok(())
}

async fn measure(subject: &mut Subject, options: &Options, drain: &Drain) -> anyhow::Result<()> {
    let duration = Duration::from_secs(options.seconds);
    if options.scheduler.is_some() {
        subject.add_extremes(scheduler::measure(&subject.path, duration, options.stored, drain).await?);
        return Ok(());
    }
    let components = options.backend.start().await;
    subject.measure_start(&components, drain).await.context("measuring the start")?;
    let is_wanted = |name: &str| name.contains(&options.only);
    let (backend, has_sentry) = (options.backend, subject.sentry.is_some());
    let can_run = |case: &Case| backend.concerns(*case) && (has_sentry || !case.is_secured());
    for case in Case::ALL.into_iter().filter(|case| is_wanted(case.name()) && can_run(case)) {
        let figures: Figures = cases::run(&subject.binary(&components), case, duration, drain)
            .await
            .with_context(|| format!("measuring {}", case.name()))?;
        subject.add(case, figures);
    }
    if backend != Backend::Memory {
        return Ok(());
    }
    for extreme in Extreme::ALL.into_iter().filter(|extreme| is_wanted(extreme.name())) {
        let figures = cases::run_extreme(&subject.binary(&components), extreme, drain)
            .await
            .with_context(|| format!("measuring {}", extreme.name()))?;
        subject.add_extremes(figures);
    }
    if let Some(sentry) = subject.sentry.clone().filter(|_| is_wanted("sentry")) {
        subject.add_extremes(sentry::measure(&sentry, duration, drain).await.context("measuring sentry")?);
    }
    let Some(placement) = &options.placement else { return Ok(()) };
    if is_wanted("actors") {
        let figures = actors::run((&subject.binary(&components), placement), duration, drain).await;
        subject.add_extremes(figures.context("measuring actors")?);
    }
    if is_wanted("placement") {
        subject.add_extremes(placement::run(placement, drain).await.context("measuring placement")?);
    }
    Ok(())
}
