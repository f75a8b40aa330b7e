//! `dapr build-info`: what the CLI and the runtime were built from.
use crate::commands::version::CLI_VERSION;
use crate::context::Context;
use crate::install::Install;
use clap::Args;
use std::process::ExitCode;

/// Print build info of Dapr CLI and runtime
#[derive(Args, Debug)]
pub(crate) struct BuildInfo {}

impl BuildInfo {
    /// Prints it.
    ///
    /// # Errors
    /// There is no home folder.
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<ExitCode> {
        let asked = Install::of(context)?.daprd().and_then(|daprd| daprd.ask("--build-info"));
        let runtime: String = match asked {
            Ok(text) => text.lines().map(|line| format!("\t{line}\n")).collect(),
            Err(_) => "\tN/A\n".to_owned(),
        };
        let own = env!("CARGO_PKG_VERSION");
        let text = format!("CLI:\n\tVersion: {CLI_VERSION}\n\tTrilby Version: {own}\nRuntime:\n{runtime}");
        context.console.print(&text);
        Ok(ExitCode::SUCCESS)
    }
}
