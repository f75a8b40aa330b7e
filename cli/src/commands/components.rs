//! `dapr components`: the components of this machine.
use crate::commands::refuse_kubernetes;
use crate::context::Context;
use crate::output::Format;
use crate::resources::Query;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

const COLUMNS: [&str; 7] = ["Namespace", "Name", "Type", "VERSION", "SCOPES", "CREATED", "AGE"];

/// List all Dapr components. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct Components {
    /// The component's name to be printed (optional)
    #[arg(long, short = 'n')]
    name: Option<String>,
    /// Output format: json, yaml, or list
    #[arg(long, short = 'o', default_value = "list")]
    output: Format,
    /// Folder with resources [default: components in the installation folder]
    #[arg(long)]
    resources_path: Option<PathBuf>,
    /// List the components of a Kubernetes cluster
    #[arg(long, short = 'k')]
    kubernetes: bool,
    /// List the components of all namespaces of a cluster
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// List the components of this namespace of a cluster
    #[arg(long)]
    namespace: Option<String>,
}

impl Components {
    /// Prints them.
    ///
    /// # Errors
    /// A file cannot be read, or Kubernetes is asked for.
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<ExitCode> {
        refuse_kubernetes(self.kubernetes || self.all_namespaces || self.namespace.is_some())?;
        let query = Query {
            kind: "Component",
            name: self.name.as_deref(),
            folder: self.resources_path.as_deref(),
            format: self.output,
        };
        query.print(context, &COLUMNS, |found| {
            let (kind, version) = (found.text("/type"), found.text("/version"));
            let (scopes, created, age) = (found.scopes.clone(), found.created.clone(), found.age.clone());
            vec![found.namespace.clone(), found.name.clone(), kind, version, scopes, created, age]
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
