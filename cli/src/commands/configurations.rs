//! `dapr configurations`: the configurations of this machine.
use crate::commands::refuse_kubernetes;
use crate::context::Context;
use crate::output::Format;
use crate::resources::{Query, Resource};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

const COLUMNS: [&str; 6] = ["Namespace", "Name", "TRACING-ENABLED", "METRICS-ENABLED", "AGE", "CREATED"];

/// List all Dapr configurations. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct Configurations {
    /// The configuration's name to be printed (optional)
    #[arg(long, short = 'n')]
    name: Option<String>,
    /// Output format: json, yaml, or list
    #[arg(long, short = 'o', default_value = "list")]
    output: Format,
    /// Folder with resources [default: the installation folder]
    #[arg(long)]
    resources_path: Option<PathBuf>,
    /// List the configurations of a Kubernetes cluster
    #[arg(long, short = 'k')]
    kubernetes: bool,
    /// List the configurations of all namespaces of a cluster
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// List the configurations of this namespace of a cluster
    #[arg(long)]
    namespace: Option<String>,
}

impl Configurations {
    /// Prints them.
    ///
    /// # Errors
    /// A file cannot be read, or Kubernetes is asked for.
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<ExitCode> {
        refuse_kubernetes(self.kubernetes || self.all_namespaces || self.namespace.is_some())?;
        let query = Query {
            kind: "Configuration",
            name: self.name.as_deref(),
            folder: self.resources_path.as_deref(),
            format: self.output,
        };
        query.print(context, &COLUMNS, |found| {
            let (tracing, metrics) = (is_traced(found).to_string(), is_measured(found).to_string());
            vec![
                found.namespace.clone(),
                found.name.clone(),
                tracing,
                metrics,
                found.age.clone(),
                found.created.clone(),
            ]
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn is_traced(found: &Resource) -> bool {
    found.text("/tracing/samplingRate").parse().is_ok_and(|rate: f32| rate > 0.0)
}

/// Metrics are on unless they are switched off, under either of the two names of the section.
fn is_measured(found: &Resource) -> bool {
    !["/metrics/enabled", "/metric/enabled"].iter().any(|path| found.text(path) == "false")
}
