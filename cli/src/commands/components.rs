//! `dapr components`: the components of this machine.
use crate::context::Context;
use crate::resources::Query;
use clap::Args;
use std::process::ExitCode;

const COLUMNS: [&str; 7] = ["Namespace", "Name", "Type", "VERSION", "SCOPES", "CREATED", "AGE"];

/// List all Dapr components. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct Components {
    #[command(flatten)]
    query: Query,
}

impl Components {
    /// Prints them.
    ///
    /// # Errors
    /// A file cannot be read, or Kubernetes is asked for.
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<ExitCode> {
        self.query.print("Component", context, &COLUMNS, |found| {
            let (kind, version) = (found.text("/type"), found.text("/version"));
            let (scopes, created, age) = (found.scopes.clone(), found.created.clone(), found.age.clone());
            vec![found.namespace.clone(), found.name.clone(), kind, version, scopes, created, age]
        })
    }
}
