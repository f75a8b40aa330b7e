//! The certificate authority of a run: a sentry of its own, for as long as the run lasts.
//!
//! A configuration with `spec.mtls.enabled: true` asks for it, as with Dapr's command line, so that the same file does the same; what is new
//! is that nothing needs to be set up before. All runs of a user share the credentials below `.dapr`, and so their sidecars trust each
//! other, in whatever order they begin and end. Who runs a sentry by hand says so with the trust anchors in the environment, which a
//! sidecar of Dapr needs anyway; then that one is used.
use crate::client::{Address, listening};
use crate::console::Console;
use crate::context::Context;
use crate::install::{Install, make_private_folder};
use crate::ports::Ports;
use crate::running::output::Sink;
use crate::running::plan;
use crate::running::process::Process;
use crate::running::settings::Settings;
use anyhow::{Context as _, bail};
use foundation_drain::Drain;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// How long sentry may take to listen.
const START: Duration = Duration::from_secs(30);
/// It ends within its own grace of five seconds.
const GRACE: Duration = Duration::from_secs(10);
const ANCHORS: [&str; 2] = ["DAPR_TRUST_ANCHORS", "DAPR_TRUST_ANCHORS_FILE"];

/// What a sidecar needs to know of an authority.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// Host and port.
    pub(crate) address: String,
    /// The file with its roots. They change while the sidecar runs.
    pub(crate) anchors: PathBuf,
}

impl Access {
    /// Variables for the sidecar.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        vec![(ANCHORS[1].to_owned(), self.anchors.display().to_string())]
    }
}

/// A sentry that runs. It ends with this, at the latest when this is dropped.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) access: Access,
    keeping: Drain,
}

impl Authority {
    /// Starts sentry if one of the apps asks for mTLS and nobody says where another one is.
    ///
    /// # Errors
    /// It cannot be started, or does not listen.
    pub(crate) async fn for_apps(apps: &[Settings], context: &Context) -> anyhow::Result<Option<Self>> {
        if ANCHORS.iter().any(|variable| context.environment.get(variable).is_some()) {
            return Ok(None);
        }
        let Some(configuration) = apps.iter().find_map(|app| plan::configuration_with_mtls(app, context)) else {
            return Ok(None);
        };
        let folder = Install::of(context)?.certificates();
        let started = Self::start(&folder, &configuration, &control_plane_namespace(context), context.console).await;
        started.context("cannot start sentry for mTLS").map(Some)
    }

    async fn start(folder: &Path, configuration: &Path, namespace: &str, console: Console) -> anyhow::Result<Self> {
        make_private_folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let port = Ports::default().pick("port", None)?;
        let mut command = command(folder, configuration, port, console.json)?;
        // That of the app is none of sentry's.
        command.env("NAMESPACE", namespace);
        let mut sentry = Process::start(command, &Sink::console(console), None)?;
        let address = Address::Port(port);
        tokio::select! {
            listening = timeout(START, listening(&address)) => listening.context("it does not listen")?,
            ended = sentry.ended() => bail!("it has ended ({}); its log tells why", ended?),
        }
        console.info(format!("Started sentry for mTLS, with the credentials in {}", folder.display()));
        let keeping = Drain::new();
        keeping.spawn(keep(sentry, keeping.clone(), console));
        Ok(Self { access: Access { address: format!("127.0.0.1:{port}"), anchors: folder.join("ca.crt") }, keeping })
    }

    /// Ends it.
    pub(crate) async fn stop(&self) {
        self.keeping.close(GRACE * 2).await;
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.keeping.stop();
    }
}

async fn keep(mut sentry: Process, drain: Drain, console: Console) {
    tokio::select! {
        ended = sentry.ended() => {
            let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
            console.warning(format!("sentry has ended ({how}); certificates are not renewed any more: run the app again"));
            drain.stopped().await;
        }
        () = drain.stopped() => {}
    }
    sentry.stop(GRACE).await;
}

/// Where sidecars expect the control plane, whatever the namespace of their app.
pub(super) fn control_plane_namespace(context: &Context) -> String {
    context.environment.get("DAPR_CONTROLPLANE_NAMESPACE").unwrap_or("default").to_owned()
}

fn command(folder: &Path, configuration: &Path, port: u16, json: bool) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("cannot find this program to run it as sentry")?;
    let mut command = std::process::Command::new(program);
    // The name tells this program what it is.
    std::os::unix::process::CommandExt::arg0(&mut command, "sentry");
    command.args(["--listen-address=127.0.0.1", "--healthz-listen-address=127.0.0.1", "--healthz-port=0"]);
    command.args(["--enable-metrics=false", "--log-level=warn", "--stop-with-parent"]);
    command.arg(format!("--log-as-json={json}")).arg(format!("--port={port}"));
    command.arg("--issuer-credentials").arg(folder).arg("--config").arg(configuration).stdin(Stdio::null());
    Ok(Command::from(command))
}
