//! `dapr configurations`: the configurations of this machine.
use crate::context::Context;
use crate::resources::{Query, Resource};
use clap::Args;
use std::process::ExitCode;

const COLUMNS: [&str; 6] = ["Namespace", "Name", "TRACING-ENABLED", "METRICS-ENABLED", "AGE", "CREATED"];

/// List all Dapr configurations. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct Configurations {
    #[command(flatten)]
    query: Query,
}

impl Configurations {
    /// Prints them.
    ///
    /// # Errors
    /// A file cannot be read, or Kubernetes is asked for.
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<ExitCode> {
        self.query.print("Configuration", context, &COLUMNS, |found| {
            let (tracing, metrics) = (is_traced(found).to_string(), is_measured(found).to_string());
            vec![
                found.namespace.clone(),
                found.name.clone(),
                tracing,
                metrics,
                found.age.clone(),
                found.created.clone(),
            ]
        })
    }
}

fn is_traced(found: &Resource) -> bool {
    found.text("/tracing/samplingRate").parse().is_ok_and(|rate: f32| rate > 0.0)
}

/// Metrics are on unless they are switched off, under either of the two names of the section.
fn is_measured(found: &Resource) -> bool {
    !["/metrics/enabled", "/metric/enabled"].iter().any(|path| found.text(path) == "false")
}
