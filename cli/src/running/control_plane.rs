//! Placement and scheduler of this user: started where none of Dapr's is there, and used for as long as this process runs.
//!
//! A service on Dapr's usual port of this machine is used in their place. Otherwise all runs of a user share one process
//! (`trilby control-plane`), which ends with the last of them: each run holds a connection to its socket, that also tells the ports.
use crate::console::Console;
use crate::context::Context;
use crate::install::{Install, make_private_folder};
use crate::running::authority::control_plane_namespace;
use crate::running::plan::{PLACEMENT, SCHEDULER, configuration_with_mtls, is_there};
use crate::running::settings::Settings;
use anyhow::{Context as _, bail};
use foundation_drain::Drain;
use serde::Deserialize;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How long it may take until it serves.
const PATIENCE: Duration = Duration::from_secs(20);
const GREETING: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);
/// Before one that was lost is looked for.
const RECOVERY: Duration = Duration::from_millis(200);

/// Where the services are, on the loopback address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Ports {
    pub(crate) placement: u16,
    pub(crate) scheduler: u16,
    pub(crate) etcd: u16,
}

/// The use of the services; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    ports: Ports,
    keeping: Drain,
}

/// Sidecars with an identity want to see one; those without have none to show. Each kind has a control plane, with jobs, of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Open,
    Secure,
}

impl ControlPlane {
    /// Joins the control plane of this user if one of the apps needs it, and starts it if it is not there. What fails is a warning: an app
    /// without jobs and actors needs none.
    pub(crate) async fn for_apps(apps: &[Settings], kind: Kind, context: &Context) -> Option<Self> {
        if !apps.iter().any(|app| is_needed(app, kind, context)) {
            return None;
        }
        let joined = match Place::of(kind, context) {
            Ok(place) => Self::join(place, context.console).await,
            Err(error) => Err(error),
        };
        let warn = |error| {
            context
                .console
                .warning(format!("no jobs and no actors: placement and scheduler cannot be started: {error:#}"));
        };
        joined.map_err(warn).ok()
    }

    /// Where the services are.
    pub(crate) fn ports(&self) -> Ports {
        self.ports
    }

    async fn join(place: Place, console: Console) -> anyhow::Result<Self> {
        let (user, ports, is_new) = place.join().await?;
        if is_new {
            let folder = place.folder.display();
            console.info(format!(
                "Started placement and scheduler; they end with the last run, and keep jobs in {folder}"
            ));
        }
        let keeping = Drain::new();
        keeping.spawn_until_stopped(place.keep(user, ports, console));
        Ok(Self { ports, keeping })
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.keeping.stop();
    }
}

/// Whether a scheduler listens on Dapr's usual port of this machine.
pub(crate) fn scheduler_is_there(context: &Context) -> bool {
    is_there(SCHEDULER.1, context)
}

/// The ports of the control plane of this user, if it is there.
pub(crate) async fn running(context: &Context) -> Option<Ports> {
    for kind in [Kind::Open, Kind::Secure] {
        let greeted = Place::of(kind, context).ok()?.greet().await;
        if let Some((_, ports)) = greeted {
            return Some(ports);
        }
    }
    None
}

fn is_needed(app: &Settings, kind: Kind, context: &Context) -> bool {
    let is_open = |given: &Option<String>, (variable, port): (&str, &str)| {
        given.is_none() && context.environment.get(variable).is_none() && !is_there(port, context)
    };
    let is_open = is_open(&app.placement_host_address, PLACEMENT) || is_open(&app.scheduler_host_address, SCHEDULER);
    let is_secure = configuration_with_mtls(app, context).is_some();
    is_open && is_secure == (kind == Kind::Secure)
}

/// Where the process is found, and what it is started by.
struct Place {
    folder: PathBuf,
    program: PathBuf,
    namespace: String,
    /// Where the credentials are, for sidecars with an identity.
    certificates: Option<PathBuf>,
}

impl Place {
    fn of(kind: Kind, context: &Context) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program to run it as the control plane")?;
        let install = Install::of(context)?;
        let (folder, certificates) = match kind {
            Kind::Open => (install.control_plane(), None),
            Kind::Secure => (install.secure_control_plane(), Some(install.certificates())),
        };
        Ok(Self { folder, program, namespace: control_plane_namespace(context), certificates })
    }

    /// Returns the connection that tells the process of this run, the ports, and whether the process is a new one.
    async fn join(&self) -> anyhow::Result<(UnixStream, Ports, bool)> {
        let (deadline, mut started) = (Instant::now() + PATIENCE, None::<Child>);
        loop {
            if let Some((user, ports)) = self.greet().await {
                return Ok((user, ports, started.is_some()));
            }
            let ended = started.as_mut().map(Child::try_wait).transpose()?.flatten();
            match ended {
                Some(status) if !status.success() => {
                    bail!("it has ended ({status}); {} tells why", self.log().display())
                }
                _ if Instant::now() > deadline => bail!("it does not answer; {} may tell why", self.log().display()),
                None if started.is_some() => {}
                // Another run has started one at the same time, which may have ended again.
                Some(_) | None => started = Some(self.start()?),
            }
            sleep(PAUSE).await;
        }
    }

    /// None: nobody is there, or about to end.
    async fn greet(&self) -> Option<(UnixStream, Ports)> {
        let mut connection = BufReader::new(UnixStream::connect(self.folder.join("socket")).await.ok()?);
        let mut line = String::new();
        timeout(GREETING, connection.read_line(&mut line)).await.ok()?.ok()?;
        Some((connection.into_inner(), serde_json::from_str(&line).ok()?))
    }

    fn start(&self) -> anyhow::Result<Child> {
        let folder = self.folder.display();
        make_private_folder(&self.folder).with_context(|| format!("cannot make {folder}"))?;
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.with_context(|| format!("cannot write {}", self.log().display()))?;
        let mut command = Command::new(&self.program);
        // The name tells this program what it is.
        command.arg0("control-plane").arg("--folder").arg(&self.folder).current_dir(&self.folder);
        command.env("NAMESPACE", &self.namespace);
        if let Some(certificates) = &self.certificates {
            command.arg("--certificates").arg(certificates);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.spawn().context("cannot run this program as the control plane")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Looks for another one when the process is lost, killed for example: it comes back with the same ports.
    async fn keep(self, mut user: UnixStream, ports: Ports, console: Console) {
        loop {
            while user.read(&mut [0; 64]).await.is_ok_and(|length| length > 0) {}
            sleep(RECOVERY).await;
            let warning = match self.join().await {
                Ok((again, same, _)) if same == ports => {
                    user = again;
                    continue;
                }
                Ok(_) => "their ports were taken meanwhile".to_owned(),
                Err(error) => format!("{error:#}"),
            };
            console.warning(format!("placement and scheduler are lost: {warning}; run the app again"));
            return;
        }
    }
}
