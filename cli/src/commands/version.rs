//! `dapr version`: the versions of the CLI and of the runtime.
use crate::context::Context;
use crate::install::Install;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::process::ExitCode;

/// Version of Dapr's CLI that this one stands in for.
pub(crate) const CLI_VERSION: &str = "1.18.0";
const UNKNOWN: &str = "n/a";

/// Print the Dapr runtime and CLI version
#[derive(Args, Debug, Default)]
pub(crate) struct Version {
    /// The output format
    #[arg(long, short = 'o')]
    output: Option<Json>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Json {
    Json,
}

#[derive(Serialize)]
struct Versions {
    #[serde(rename = "Cli version")]
    cli: &'static str,
    #[serde(rename = "Runtime version")]
    runtime: String,
}

impl Version {
    /// Prints both versions.
    ///
    /// # Errors
    /// There is no home folder.
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<ExitCode> {
        let asked = Install::of(context)?.daprd().and_then(|daprd| daprd.ask("--version"));
        let runtime = asked.map_or_else(|_| UNKNOWN.to_owned(), |version| version.trim().to_owned());
        let versions = Versions { cli: CLI_VERSION, runtime };
        let text = match self.output {
            Some(Json::Json) => format!("{}\n", serde_json::to_string(&versions)?),
            // The space before the line break is Dapr's.
            None => format!("CLI version: {} \nRuntime version: {}\n", versions.cli, versions.runtime),
        };
        context.console.print(&text);
        Ok(ExitCode::SUCCESS)
    }
}
