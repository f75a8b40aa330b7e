//! `dapr stop`: ends apps and their sidecars.
use crate::commands::refuse_kubernetes;
use crate::context::Context;
use crate::instances::{self, Instance};
use crate::running::{end_group, is_alive, template_path, terminate};
use anyhow::{Context as _, ensure};
use clap::Args;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long an app and its sidecar may take to end.
const PATIENCE: Duration = Duration::from_secs(20);
const APP_GRACE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// Stop Dapr instances and their associated apps. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct Stop {
    /// The application id to be stopped
    #[arg(long, short = 'a', value_delimiter = ',')]
    app_id: Vec<String>,
    /// Path to the run template file whose apps are to be stopped, or to its folder
    #[arg(long, short = 'f')]
    run_file: Option<PathBuf>,
    /// Stop deployments in Kubernetes
    #[arg(long, short = 'k')]
    kubernetes: bool,
    /// More application ids to be stopped
    #[arg(value_name = "APP_ID")]
    more: Vec<String>,
}

impl Stop {
    /// Stops, and waits for the end. Like Dapr, it is no error if nothing is there to be stopped.
    ///
    /// # Errors
    /// Nothing was named, or the run template is not there.
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        refuse_kubernetes(self.kubernetes)?;
        let named = self.run_file.is_some() || !self.app_id.is_empty() || !self.more.is_empty();
        ensure!(
            named,
            "say what to stop: `dapr stop APP_ID`, or `dapr stop --run-file FILE`; `dapr list` shows what runs"
        );
        let instances = instances::list(context.environment.api_token()).await;
        let console = context.console;
        if let Some(file) = &self.run_file {
            match stop_template(&std::path::absolute(template_path(file)?)?, &instances).await {
                Ok(()) => console.success("Dapr and app processes stopped successfully"),
                Err(error) => console.failure(format!("Failed to stop Dapr and app processes: {error:#}")),
            }
        }
        for app_id in self.more.iter().chain(&self.app_id) {
            match stop_app(app_id, &instances).await {
                Ok(()) => console.success(format!("app stopped successfully: {app_id}")),
                Err(error) => console.failure(format!("failed to stop app id {app_id}: {error:#}")),
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn stop_template(path: &Path, instances: &[Instance]) -> anyhow::Result<()> {
    let all: Vec<_> = instances.iter().filter(|instance| Path::new(&instance.run_template_path) == path).collect();
    ensure!(!all.is_empty(), "couldn't find apps with run file {path:?}; `dapr list` shows what runs");
    let mut asked = BTreeSet::new();
    for instance in &all {
        if asked.insert(instance.cli_pid) {
            stop(instance, true).await?;
        }
    }
    join_all(all.iter().map(|instance| gone(instance))).await.into_iter().collect()
}

async fn stop_app(app_id: &str, instances: &[Instance]) -> anyhow::Result<()> {
    let found = instances.iter().find(|instance| instance.app_id == app_id);
    let found = found.with_context(|| format!("couldn't find app id {app_id}; `dapr list` shows what runs"))?;
    let same_cli = instances.iter().filter(|instance| instance.cli_pid == found.cli_pid).count();
    stop(found, same_cli == 1).await
}

/// Ends the CLI, which ends the rest; or the app and its sidecar, where the CLI has more of them or is gone.
async fn stop(instance: &Instance, with_cli: bool) -> anyhow::Result<()> {
    let cli = instance.parent.filter(|parent| with_cli && *parent == instance.cli_pid);
    match cli {
        Some(cli) => terminate(cli),
        None => {
            if is_alive(instance.app_pid) {
                end_group(instance.app_pid, APP_GRACE).await;
            }
            terminate(instance.daprd_pid);
        }
    }
    gone(instance).await
}

async fn gone(instance: &Instance) -> anyhow::Result<()> {
    let gone = async {
        while is_alive(instance.daprd_pid) {
            sleep(PAUSE).await;
        }
    };
    let (pid, seconds) = (instance.daprd_pid, PATIENCE.as_secs());
    timeout(PATIENCE, gone).await.with_context(|| format!("process {pid} has not ended within {seconds} s"))
}
