//! The process: from its command line to its exit code.
use crate::assemble::assemble;
use crate::options::{Command, DAPR_VERSION, Environment, Failure, Invalid, Log, Options};
use crate::running::Sidecar;
use crate::stopping::{Ending, Reason, Signals};
use crate::{telemetry, wait};
use foundation_process::{allow_many_open_files, stay_small};
use foundation_telemetry::flush_log;
use std::io::Write;
use std::panic::PanicHookInfo;
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const SCOPE: &str = "dapr.runtime";
const MISUSE: u8 = 2;

/// Runs `daprd` with a command line (without the name of the program).
pub fn main(arguments: &[String]) -> ExitCode {
    match Command::read(arguments, Environment::of_process()) {
        Ok(Command::Run(options)) => in_runtime(run(&options)),
        Ok(Command::Print(text)) => {
            std::io::stdout().write_all(text.as_bytes()).ok();
            ExitCode::SUCCESS
        }
        Ok(Command::Wait(port)) => in_runtime(wait::until_outbound_ready(&port)),
        Err(Failure::Misuse(misuse)) => {
            complain(&format!("{}\n{misuse}\n", Command::usage()));
            ExitCode::from(MISUSE)
        }
        Err(Failure::Invalid { reason, log, app_id }) => refuse(&reason, &log, &app_id),
    }
}

fn in_runtime(future: impl Future<Output = ExitCode>) -> ExitCode {
    match foundation_process::runtime(foundation_json::STACK) {
        Ok(runtime) => {
            let code = runtime.block_on(future);
            runtime.shutdown_timeout(Duration::from_millis(100));
            flush_log();
            code
        }
        Err(error) => {
            complain(&format!("cannot start: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn refuse(reason: &Invalid, log: &Log, app_id: &str) -> ExitCode {
    match telemetry::start_log(log, app_id, &Environment::of_process()) {
        Ok(()) => tracing::error!(target: SCOPE, fatal = true, "Fatal error from runtime: {reason}"),
        Err(_) => complain(&format!("Fatal error from runtime: {reason}\n")),
    }
    flush_log();
    ExitCode::FAILURE
}

fn complain(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).ok();
}

async fn run(options: &Options) -> ExitCode {
    if let Err(error) = telemetry::start_log(&options.log, &options.app_id, &options.environment) {
        complain(&format!("{error}\n"));
        return ExitCode::FAILURE;
    }
    allow_many_open_files();
    std::panic::set_hook(Box::new(tell_panic));
    tracing::info!(target: SCOPE, "Starting Dapr Runtime -- version {DAPR_VERSION} -- commit trilby-{}", env!("CARGO_PKG_VERSION"));
    tracing::info!(target: SCOPE, "Log level set to: {}", options.log.level);
    options.warnings.iter().for_each(|warning| tracing::warn!(target: SCOPE, "{warning}"));
    match live(options).await {
        Ok(()) => {
            tracing::info!(target: SCOPE, "Daprd shutdown gracefully");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(target: SCOPE, fatal = true, "Fatal error from runtime: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What a panic says may hold what a client sent, so only its place is told.
fn tell_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(target: SCOPE, "internal error: a task has panicked at {place}; the sidecar goes on");
}

/// One sidecar after the other, as long as SIGHUP asks for a fresh one.
async fn live(options: &Options) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    while run_once(options, &mut signals).await? == Reason::Reload {}
    Ok(())
}

async fn run_once(options: &Options, signals: &mut Signals) -> anyhow::Result<Reason> {
    let start = Instant::now();
    tracing::info!(target: SCOPE, "standalone mode configured");
    tracing::info!(target: SCOPE, "app id: {}", options.app_id);
    let ending = Ending::default();
    let sidecar = tokio::select! {
        sidecar = assemble(options, &ending) => sidecar?,
        reason = signals.next() => return Ok(reason),
    };
    let reason = work(&sidecar, options, signals, &ending, start).await;
    match end(&sidecar, options, signals, reason).await? {
        Reason::Failed(reason) => Err(anyhow::anyhow!(reason)),
        reason => Ok(reason),
    }
}

/// Returns why the sidecar is to end.
async fn work(sidecar: &Sidecar, options: &Options, signals: &mut Signals, ending: &Ending, start: Instant) -> Reason {
    let ready = async {
        sidecar.get_ready(options).await;
        let elapsed = start.elapsed().as_millis();
        tracing::info!(target: SCOPE, "dapr initialized. Status: Running. Init Elapsed {elapsed}ms");
        match stay_small().await {}
    };
    tokio::select! {
        reason = ready => reason,
        reason = signals.next() => reason,
        reason = ending.said() => reason,
    }
}

/// Ends within the grace. Returns why: after a signal to end the sidecar does not start again. A second one ends at once.
async fn end(sidecar: &Sidecar, options: &Options, signals: &mut Signals, reason: Reason) -> anyhow::Result<Reason> {
    let block = options.block_shutdown.filter(|_| matches!(reason, Reason::Signal | Reason::Reload));
    let mut steps = pin!(async {
        if let Some(duration) = block {
            sidecar.block_end(duration).await;
        }
        within(options.grace, sidecar.end(options.grace)).await
    });
    let mut reason = reason;
    if reason == Reason::Reload {
        tokio::select! {
            ended = steps.as_mut() => return ended.map(|()| reason),
            () = signals.end() => reason = Reason::Signal,
        }
    }
    tokio::select! {
        ended = steps => ended.map(|()| reason),
        () = signals.insist() => Ok(reason),
    }
}

/// No grace at all is grace without end.
async fn within(grace: Duration, end: impl Future<Output = ()>) -> anyhow::Result<()> {
    if grace.is_zero() {
        end.await;
        return Ok(());
    }
    let ended = tokio::time::timeout(grace, end).await;
    ended.map_err(|_| anyhow::anyhow!("Graceful shutdown timeout exceeded, forcing shutdown"))
}
