//! `dapr run`: one app with its sidecar, or all apps of a run template.
use crate::commands::refuse_kubernetes;
use crate::console::Console;
use crate::context::Context;
use crate::running::{
    Authority, ControlPlane, Ended, Kind, Plan, Planner, Session, Settings, Shutdown, Sink, Sinks, Target, Template,
    template_path,
};
use crate::time;
use anyhow::Context as _;
use clap::Args;
use futures_util::future::join_all;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Run Dapr and (optionally) your application side by side. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Path to the run template file for the list of apps to run, to its folder, or - for standard input
    #[arg(long, short = 'f')]
    run_file: Option<PathBuf>,
    /// Run the multi-app run template against a Kubernetes environment
    #[arg(long, short = 'k')]
    kubernetes: bool,
}

impl Run {
    /// Runs until the app or the sidecar ends, or until a signal asks for the end.
    ///
    /// # Errors
    /// What keeps the app or its sidecar from starting.
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        refuse_kubernetes(self.kubernetes)?;
        let Some(file) = self.run_file else { return run_one(&self.settings, context).await };
        if self.settings != Settings::default() {
            let warning = "Flags other than --run-file are ignored: set these values in the run template instead";
            context.console.warning(warning);
        }
        run_template(&file, context).await
    }
}

async fn run_one(settings: &Settings, context: &Context) -> anyhow::Result<ExitCode> {
    let console = context.console;
    warn(settings, console);
    let mut shutdown = Shutdown::new()?;
    let services = tokio::select! {
        services = Services::start(std::slice::from_ref(settings), context) => services?,
        () = shutdown.asked() => return Ok(ExitCode::SUCCESS),
    };
    let plan = services.planner(context).plan(settings)?;
    let sinks = Sinks { app: Sink::console(console), daprd: Sink::console(console) };
    let mut session = tokio::select! {
        session = Session::start(plan, sinks) => session?,
        () = shutdown.asked() => return Ok(ExitCode::SUCCESS),
    };
    let ended = tokio::select! {
        ended = follow(&mut session, console) => Some(ended),
        () = shutdown.asked() => None,
    };
    let well = ended.is_none_or(|ended| session.tell(&ended));
    console.info("terminated signal received: shutting down");
    tokio::select! {
        () = stop(session.stop(), &services) => {}
        () = shutdown.asked() => console.warning("asked again: killing what is left"),
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a run has beside its apps, each if it needs one.
struct Services {
    authority: Option<Authority>,
    control_plane: Option<ControlPlane>,
    /// For sidecars with an identity from the authority.
    secure_control_plane: Option<ControlPlane>,
}

impl Services {
    async fn start(apps: &[Settings], context: &Context) -> anyhow::Result<Self> {
        let authority = Authority::for_apps(apps, context).await?;
        let control_plane = ControlPlane::for_apps(apps, Kind::Open, context).await;
        let secure_control_plane = match &authority {
            Some(_) => ControlPlane::for_apps(apps, Kind::Secure, context).await,
            None => None,
        };
        Ok(Self { authority, control_plane, secure_control_plane })
    }

    fn planner<'a>(&self, context: &'a Context) -> Planner<'a> {
        let planner = Planner::new(context, self.control_plane.as_ref());
        planner.with_authority(self.authority.as_ref(), self.secure_control_plane.as_ref())
    }
}

/// Ends apps and sidecars, and then the authority that they have their identities from.
async fn stop(sessions: impl Future<Output = ()>, services: &Services) {
    sessions.await;
    if let Some(authority) = &services.authority {
        authority.stop().await;
    }
}

fn warn(settings: &Settings, console: Console) {
    let deprecated = |flag, instead| {
        console.warning(format!("Flag --{flag} has been deprecated and will be removed; use --{instead} instead"));
    };
    if settings.resources_path.is_some() {
        deprecated("components-path", "resources-path");
    }
    if settings.app_ssl.is_some() {
        deprecated("app-ssl", "app-protocol with https or grpcs");
    }
    if settings.command.is_empty() {
        console.print("WARNING: no application command found.\n");
    }
}

/// Returns when the app or the sidecar has ended.
async fn follow(session: &mut Session, console: Console) -> Ended {
    tokio::select! {
        () = session.label(Vec::new()) => {}
        ended = session.ended() => return ended,
    }
    let logs = if session.app_pid().is_some() { "Both Dapr and your app logs" } else { "Dapr logs" };
    console.success(format!("You're up and running! {logs} will appear here.\n"));
    session.ended().await
}

async fn run_template(file: &Path, context: &Context) -> anyhow::Result<ExitCode> {
    let console = context.console;
    let path = template_path(file)?;
    let template =
        Template::load(&path, context.environment.home().ok()).context("Error getting apps from config file")?;
    for key in &template.unknown {
        console.warning(format!(
            "{key} in {} is no key of a run template and does nothing; check its spelling",
            path.display()
        ));
    }
    let origin = Origin { path: std::path::absolute(&path)?, name: template.name.clone(), console };
    let mut shutdown = Shutdown::new()?;
    let services = tokio::select! {
        services = Services::start(&template.apps, context) => services?,
        () = shutdown.asked() => return Ok(ExitCode::SUCCESS),
    };
    let mut planner = services.planner(context);
    let starts = template.apps.iter().map(|app| planner.plan(app).map(|plan| origin.start(plan, app)));
    let starts = starts.collect::<anyhow::Result<Vec<_>>>()?;
    drop(planner);
    let started = tokio::select! {
        started = join_all(starts) => started,
        () = shutdown.asked() => return Ok(ExitCode::SUCCESS),
    };
    let (mut sessions, failures): (Vec<_>, Vec<_>) = started.into_iter().partition(Result::is_ok);
    failures.iter().for_each(|failure| tell_failure(failure, console));
    if failures.is_empty() {
        let watching = join_all(sessions.iter_mut().flatten().map(watch));
        tokio::select! {
            _ = watching => {}
            () = shutdown.asked() => {}
        }
        console.info("Received signal to stop Dapr and app processes. Shutting down Dapr and app processes.");
    }
    let stopping = async { drop(join_all(sessions.iter_mut().flatten().map(Session::stop)).await) };
    tokio::select! {
        () = stop(stopping, &services) => {}
        () = shutdown.asked() => console.warning("asked again: killing what is left"),
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell_failure(failure: &anyhow::Result<Session>, console: Console) {
    if let Err(error) = failure {
        console.failure(format!("Error starting Dapr and app: {error:#}"));
    }
}

/// Labels a sidecar, which outlives its app.
async fn label(session: &mut Session, labels: Vec<(&'static str, String)>) {
    let label = session.label(labels);
    tokio::pin!(label);
    loop {
        let ended = tokio::select! {
            () = &mut label => return,
            ended = session.ended() => ended,
        };
        session.tell(&ended);
        if matches!(ended, Ended::Daprd(_)) {
            return;
        }
    }
}

/// Tells of every end. One app of a template ends without the others.
async fn watch(session: &mut Session) {
    loop {
        let ended = session.ended().await;
        session.tell(&ended);
    }
}

/// Where apps come from.
struct Origin {
    path: PathBuf,
    name: String,
    console: Console,
}

impl Origin {
    async fn start(&self, plan: Plan, app: &Settings) -> anyhow::Result<Session> {
        let (app_id, console) = (plan.app_id.clone(), self.console);
        console.info(format!("Validating config and starting app {app_id:?}"));
        if plan.command.is_empty() {
            let path = self.path.display();
            console.warning(format!("No application command found for app {app_id:?} present in {path}"));
        }
        let logs = Logs::open(&plan, app, console)?;
        let session = Session::start(plan, logs.sinks).await.with_context(|| format!("app {app_id:?}"))?;
        let mut session = session.among_others();
        let mut labels = vec![("runTemplatePath", self.path.display().to_string())];
        labels.push(("runTemplateName", self.name.clone()));
        let has_files = !logs.labels.is_empty();
        labels.extend(logs.labels);
        label(&mut session, labels).await;
        let (http, grpc) = (session.plan().http_port, session.plan().grpc_port);
        console.info(format!("Started Dapr with app id {app_id:?}. HTTP Port: {http}. gRPC Port: {grpc}"));
        if has_files {
            console.info(format!("Writing log files to directory : {}", logs.folder.display()));
        }
        Ok(session)
    }
}

/// Log files of an app, `<app folder>/.dapr/logs/<app id>_<app|daprd>_<time>.log`.
struct Logs {
    folder: PathBuf,
    sinks: Sinks,
    labels: Vec<(&'static str, String)>,
}

impl Logs {
    fn open(plan: &Plan, app: &Settings, console: Console) -> anyhow::Result<Self> {
        let folder = plan.folder.clone().unwrap_or_default().join(".dapr").join("logs");
        let mut labels = Vec::new();
        let mut sink = |part: &str, label: &'static str, target: Target| -> anyhow::Result<Sink> {
            if target == Target::Console {
                return Ok(Sink::console(console));
            }
            fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            let path = folder.join(format!("{}_{part}_{}.log", plan.app_id, time::stamp()));
            let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
            labels.push((label, path.display().to_string()));
            Ok(Sink::file(file, target, console))
        };
        let daprd = sink("daprd", "daprdLogPath", app.daprd_log_destination.unwrap_or(Target::File))?;
        let of_app = app.app_log_destination.unwrap_or(Target::FileAndConsole);
        let app = if plan.command.is_empty() { daprd.clone() } else { sink("app", "appLogPath", of_app)? };
        Ok(Self { folder, sinks: Sinks { app, daprd }, labels })
    }
}
