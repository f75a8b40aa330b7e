//! From the options of a process to its exit code.
use crate::flags::Common;
use crate::open_files::allow_many_open_files;
use crate::run::{Context, run};
use crate::runtime::runtime;
use axum::Router;
use foundation_flags::Misuse;
use foundation_telemetry::{LogSettings, flush_log, start_log};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

const MISUSE: u8 = 2;
/// Bytes, as the standard library has it.
const STACK: usize = 2 << 20;

/// Runs a process: log, threads, [`run`]. What goes wrong is logged, and the exit code is 1 then.
pub fn main(common: &Common, start: impl AsyncFnOnce(&Context) -> anyhow::Result<Router>) -> ExitCode {
    if let Err(error) = start_log(&log_settings(common)) {
        complain(&format!("{error}\n"));
        return ExitCode::FAILURE;
    }
    allow_many_open_files();
    let ended = runtime(STACK).map_err(anyhow::Error::from).and_then(|runtime| {
        let ended = runtime.block_on(run(common, start));
        runtime.shutdown_timeout(Duration::from_millis(100));
        ended
    });
    if let Err(error) = &ended {
        tracing::error!(target: "dapr.control", fatal = true, "fatal error: {error:#}");
    }
    flush_log();
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The answer to a command line that cannot be taken: help when that was asked for, else what is wrong.
pub fn refuse(error: &(dyn std::error::Error + 'static), misuse: Option<&Misuse>, usage: &str) -> ExitCode {
    match misuse {
        Some(Misuse::Help) => {
            std::io::stdout().write_all(usage.as_bytes()).ok();
            ExitCode::SUCCESS
        }
        Some(misuse) => {
            complain(&format!("{usage}\n{misuse}\n"));
            ExitCode::from(MISUSE)
        }
        None => {
            complain(&format!("{error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn log_settings(common: &Common) -> LogSettings {
    LogSettings {
        level: common.log_level.clone(),
        as_json: common.log_as_json,
        file: common.log_file.as_ref().map(Into::into),
        app_id: None,
        instance: host_name(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
}

fn complain(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).ok();
}
