//! Measures any daprd or scheduler, or two of them in turn, and prints a table: size, start, memory, latency, throughput, CPU.
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
mod process;
mod scheduler;
mod subject;
mod table;

use anyhow::Context;
use backend::Backend;
use cases::{Case, Figures};
use clap::Parser;
use extremes::Extreme;
use foundation_drain::Drain;
use foundation_process::allow_many_open_files;
use process::Binary;
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
    let paths = [&options.daprd, &options.scheduler, &options.vs].into_iter().flatten();
    let mut subjects: Vec<_> = paths.cloned().map(Subject::new).collect();
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
    let is_wanted = |case: &Case| case.name().contains(&options.only) && options.backend.concerns(*case);
    for case in Case::ALL.into_iter().filter(is_wanted) {
        let binary = Binary { path: &subject.path, components: &components };
        let figures: Figures =
            cases::run(&binary, case, duration, drain).await.with_context(|| format!("measuring {}", case.name()))?;
        subject.add(case, figures);
    }
    let is_wanted = |extreme: &Extreme| extreme.name().contains(&options.only) && options.backend == Backend::Memory;
    for extreme in Extreme::ALL.into_iter().filter(is_wanted) {
        let binary = Binary { path: &subject.path, components: &components };
        let figures = cases::run_extreme(&binary, extreme, drain)
            .await
            .with_context(|| format!("measuring {}", extreme.name()))?;
        subject.add_extremes(figures);
    }
    Ok(())
}
