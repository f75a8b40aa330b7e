//! `dapr list`: the sidecars that run on this machine.
use crate::commands::Cluster;
use crate::context::Context;
use crate::instances::{self, Instance};
use crate::output::{Format, detail};
use crate::table::table;
use clap::Args;
use std::process::ExitCode;

const COLUMNS: [&str; 14] = [
    "APP ID",
    "HTTP PORT",
    "GRPC PORT",
    "APP PORT",
    "COMMAND",
    "AGE",
    "CREATED",
    "DAPRD PID",
    "CLI PID",
    "APP PID",
    "RUN_TEMPLATE_PATH",
    "APP_LOG_PATH",
    "DAPRD_LOG_PATH",
    "RunTemplateName",
];

/// List all Dapr instances. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct List {
    /// The output format: json, yaml, or table
    #[arg(long, short = 'o', default_value = "table", hide_default_value = true)]
    output: Format,
    #[command(flatten)]
    cluster: Cluster,
}

impl List {
    /// Prints the list.
    ///
    /// # Errors
    /// Kubernetes is asked for.
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        self.cluster.refuse()?;
        let instances = instances::list(context.environment.api_token()).await;
        let text = match self.output {
            Format::Table if instances.is_empty() => "No Dapr instances found.\n".to_owned(),
            Format::Table => table(&COLUMNS, &instances.iter().map(row).collect::<Vec<_>>()),
            format => detail(format, &instances)?,
        };
        context.console.print(&text);
        Ok(ExitCode::SUCCESS)
    }
}

fn row(instance: &Instance) -> Vec<String> {
    let number = |number: u32| number.to_string();
    vec![
        instance.app_id.clone(),
        number(instance.http_port.into()),
        number(instance.grpc_port.into()),
        number(instance.app_port.into()),
        instance.command.clone(),
        instance.age.clone(),
        instance.created.clone(),
        number(instance.daprd_pid),
        number(instance.cli_pid),
        number(instance.app_pid),
        instance.run_template_path.clone(),
        instance.app_log_path.clone(),
        instance.daprd_log_path.clone(),
        instance.run_template_name.clone(),
    ]
}
