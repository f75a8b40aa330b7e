//! One app and its sidecar while they run.
use crate::client::{Client, listening};
use crate::console::Status;
use crate::running::labels;
use crate::running::output::Sink;
use crate::running::plan::Plan;
use crate::running::process::Process;
use anyhow::bail;
use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::Command;
use tokio::time::{Instant, timeout_at};

/// How long the sidecar may take to listen.
const START: Duration = Duration::from_secs(60);
/// How long an app gets to end by itself, as with Dapr.
const APP_GRACE: Duration = Duration::from_secs(5);
/// The sidecar ends by itself within its own grace of five seconds.
const DAPRD_GRACE: Duration = Duration::from_secs(10);

/// Where a session writes.
#[derive(Clone, Debug)]
pub(crate) struct Sinks {
    pub(crate) app: Sink,
    pub(crate) daprd: Sink,
}

/// A running sidecar, and its app if it has one.
pub(crate) struct Session {
    plan: Plan,
    sinks: Sinks,
    daprd: Process,
    app: Option<Process>,
    is_one_of_many: bool,
}

/// Which of both ended, and how.
#[derive(Debug)]
pub(crate) enum Ended {
    App(io::Result<ExitStatus>),
    Daprd(io::Result<ExitStatus>),
}

impl Session {
    /// Starts the sidecar, and the app when it can use the sidecar or when the sidecar waits for it.
    ///
    /// # Errors
    /// One of both cannot be started; nothing is left running then.
    pub(crate) async fn start(plan: Plan, sinks: Sinks) -> anyhow::Result<Self> {
        sinks.daprd.status(Status::Info, plan.describe());
        let daprd = Process::start(daprd_command(&plan), &sinks.daprd, None)?;
        let mut session = Self { plan, sinks, daprd, app: None, is_one_of_many: false };
        if !session.plan.app_listens {
            session.wait_for_sidecar().await?;
        }
        if let Err(error) = session.start_app() {
            session.stop().await;
            return Err(error);
        }
        Ok(session)
    }

    /// Has it name its app in what it tells.
    pub(crate) fn among_others(self) -> Self {
        Self { is_one_of_many: true, ..self }
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn app_pid(&self) -> Option<u32> {
        self.app.as_ref().map(Process::pid)
    }

    /// Waits for the next end, of the app or of the sidecar.
    pub(crate) async fn ended(&mut self) -> Ended {
        let app = async {
            match &mut self.app {
                Some(app) => app.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = app => Ended::App(ended),
            ended = self.daprd.ended() => Ended::Daprd(ended),
        }
    }

    /// Notes in the sidecar what it was started by, as soon as it serves its API.
    pub(crate) fn label(&self, more: Vec<(&'static str, String)>) -> impl Future<Output = ()> + use<> {
        let (client, labels, sink) = (self.plan.client(), self.labels(more), self.sinks.daprd.clone());
        async move { label(&client, &labels, &sink).await }
    }

    /// Ends the app first, so that it has its sidecar to the last, and then the sidecar.
    pub(crate) async fn stop(&mut self) {
        let of = self.of_whom();
        if let Some(app) = &mut self.app {
            stop(app, &format!("App{of}"), APP_GRACE, &self.sinks.app).await;
        }
        stop(&mut self.daprd, &format!("Dapr{of}"), DAPRD_GRACE, &self.sinks.daprd).await;
        for address in [&self.plan.http, &self.plan.grpc] {
            address.remove_socket();
        }
    }

    /// Tells how a process ended; failures are told on the console too, wherever its lines go. Returns whether all is well.
    pub(crate) fn tell(&self, ended: &Ended) -> bool {
        let (sink, name, program, ended) = match ended {
            Ended::App(ended) => (&self.sinks.app, "App", "App", ended),
            Ended::Daprd(ended) => (&self.sinks.daprd, "Dapr", "daprd", ended),
        };
        let of = self.of_whom();
        match ended {
            Ok(status) if status.success() => sink.status(Status::Success, format!("Exited {name}{of} successfully")),
            Ok(status) => sink.failure(format!("The {program} process{of} {}", How(*status))),
            Err(error) => sink.failure(format!("The {program} process{of} was lost: {error}")),
        }
        ended.as_ref().is_ok_and(ExitStatus::success)
    }

    /// One session among several names its app.
    fn of_whom(&self) -> String {
        if self.is_one_of_many { format!(" of {}", self.plan.app_id) } else { String::new() }
    }

    async fn wait_for_sidecar(&mut self) -> anyhow::Result<()> {
        let (deadline, sink) = (Instant::now() + START, self.sinks.daprd.clone());
        let mut answers = true;
        for (protocol, address) in [("HTTP", &self.plan.http), ("GRPC", &self.plan.grpc)] {
            sink.status(Status::Info, format!("Checking if Dapr sidecar is listening on {protocol} {address}"));
            tokio::select! {
                listening = timeout_at(deadline, listening(address)) => if listening.is_err() {
                    let warning = format!("Dapr sidecar is not listening on {protocol} {address}");
                    sink.status(Status::Warning, warning);
                    answers = false;
                },
                ended = self.daprd.ended() => bail!("the sidecar {}; its log tells why", How(ended?)),
            }
        }
        match answers {
            true => sink.status(Status::Info, "Dapr sidecar is up and running."),
            false => sink.status(Status::Warning, "Dapr sidecar might not be responding; its log tells why."),
        }
        Ok(())
    }

    fn start_app(&mut self) -> anyhow::Result<()> {
        let Some((program, arguments)) = self.plan.command.split_first() else { return Ok(()) };
        anyhow::ensure!(!program.trim().is_empty(), "the command of the app is blank; check it");
        let mut command = Command::new(program);
        command.args(arguments).envs(self.plan.environment.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.plan.folder {
            command.current_dir(folder);
        }
        let prefix = format!("== APP - {} == ", self.plan.app_id);
        self.app = Some(Process::start(command, &self.sinks.app, Some(prefix))?);
        Ok(())
    }

    fn labels(&self, more: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
        let mut labels = more;
        if let Some(pid) = self.app_pid() {
            labels.push(("appPID", pid.to_string()));
            labels.push(("appCommand", self.plan.command.join(" ")));
        }
        // The last one, so that who sees it sees them all.
        labels.push(("cliPID", std::process::id().to_string()));
        labels
    }
}

/// What a process that ended by itself has left behind is ended too.
async fn stop(process: &mut Process, name: &str, patience: Duration, sink: &Sink) {
    let news = !process.is_over();
    match process.stop(patience).await {
        true if news => sink.status(Status::Success, format!("Exited {name} successfully")),
        true => {}
        false => {
            sink.status(Status::Warning, format!("{name} did not end within {} s and was killed", patience.as_secs()))
        }
    }
}

async fn label(client: &Client, labels: &[(&'static str, String)], sink: &Sink) {
    for (name, value) in labels.iter().filter(|(name, _)| matches!(*name, "appPID" | "appCommand")) {
        let shown = if *name == "appCommand" { "app command" } else { name };
        sink.status(Status::Info, format!("Updating metadata for {shown}: {value}"));
    }
    if let Err(error) = labels::put(client, labels).await {
        sink.status(Status::Warning, format!("Could not update sidecar metadata: {error:#}"));
    }
}

fn daprd_command(plan: &Plan) -> Command {
    let mut command = Command::from(plan.daprd.command());
    command.args(&plan.arguments).stdin(Stdio::null());
    command.envs(plan.sidecar_environment.iter().map(|(name, value)| (name, value)));
    if let Some(folder) = &plan.folder {
        command.current_dir(folder);
    }
    command
}

/// How a process ended, after its name.
struct How(ExitStatus);

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.signal(), self.0.code()) {
            (Some(signal), _) => write!(f, "was terminated by signal: {signal}"),
            (None, code) => write!(f, "exited with error code: {}", code.unwrap_or_default()),
        }
    }
}
