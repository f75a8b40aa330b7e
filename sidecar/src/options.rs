//! What a sidecar was started with: the command line and the environment, checked (surface.md 4.1 and 4.3).
mod check;
mod environment;
mod table;
#[cfg(test)]
mod tests;

pub use check::Invalid;
pub use environment::Environment;
pub use foundation_flags::Misuse;

use foundation_app::{HealthOptions, Protocol};
use foundation_flags::{Flags, usage};
use std::path::PathBuf;
use std::time::Duration;

/// Version of Dapr that this sidecar stands in for.
pub const DAPR_VERSION: &str = "1.18.3";

/// What a command line asks for.
#[derive(Debug)]
pub enum Command {
    Run(Box<Options>),
    /// Print a text and end.
    Print(String),
    /// Wait until the sidecar on this port can be called.
    Wait(String),
}

/// Where resources and the control plane are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Standalone,
    Kubernetes,
}

/// The app, and how it wants to be called.
#[derive(Clone, Debug)]
pub struct App {
    /// None is a sidecar without an app.
    pub port: Option<u16>,
    pub protocol: Protocol,
    pub address: String,
    /// 0 is without limit.
    pub max_concurrency: usize,
    pub health: Option<HealthOptions>,
    /// Whether the app is asked for its configuration at start.
    pub ask_config: bool,
    /// Whether the app is asked for its subscriptions at start.
    pub ask_subscriptions: bool,
    /// How long the app may take to say which input bindings it wants; none is the default.
    pub binding_patience: Option<Duration>,
}

/// Ports and addresses that are listened on.
#[derive(Clone, Debug)]
pub struct Listen {
    pub http_port: u16,
    pub grpc_port: u16,
    /// Host parts of the API's addresses; empty is all interfaces.
    pub addresses: Vec<String>,
    /// Folder for sockets in place of ports.
    pub sockets: Option<PathBuf>,
    pub public: Option<(String, u16)>,
    pub internal_address: String,
    /// None is a stable one by app id.
    pub internal_port: Option<u16>,
    pub metrics: Option<(String, u16)>,
}

/// The control plane that gives this sidecar its identity.
#[derive(Clone, Debug)]
pub struct Mtls {
    pub sentry_address: String,
    /// Of the control plane, as is the namespace.
    pub trust_domain: String,
    pub namespace: String,
    /// Of tokens that sentry is asked for beside certificates.
    pub jwt_audiences: Vec<String>,
}

/// The scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scheduler {
    /// None is a sidecar without jobs and reminders.
    pub addresses: Vec<String>,
    /// To each of its replicas.
    pub streams: usize,
}

/// How log lines are written.
#[derive(Clone, Debug, Default)]
pub struct Log {
    pub level: String,
    pub as_json: bool,
    pub file: Option<PathBuf>,
}

/// Everything that a sidecar is started with.
#[derive(Clone, Debug)]
pub struct Options {
    pub mode: Mode,
    pub app_id: String,
    pub app: App,
    pub listen: Listen,
    pub log: Log,
    pub resources: Vec<PathBuf>,
    pub configurations: Vec<String>,
    /// Empty is no CORS at all.
    pub allowed_origins: Vec<String>,
    /// Bytes; 0 is without limit.
    pub max_body_size: usize,
    /// Bytes of all headers.
    pub read_buffer_size: usize,
    /// Of the placement service; none is a sidecar without actors.
    pub placement: Vec<String>,
    pub dissemination_timeout: Duration,
    pub scheduler: Scheduler,
    /// None is in the open.
    pub mtls: Option<Mtls>,
    pub grace: Duration,
    pub block_shutdown: Option<Duration>,
    /// None leaves it to the configuration.
    pub api_logging: Option<bool>,
    pub reconcile_interval: Duration,
    /// Lines to log when the log is up.
    pub warnings: Vec<String>,
    pub environment: Environment,
}

impl Command {
    /// Reads a command line (without the name of the program) and the environment.
    ///
    /// # Errors
    /// [`Misuse`] for flags that cannot be read, [`Invalid`] for those that cannot be followed.
    pub fn read(arguments: &[String], environment: Environment) -> Result<Self, Failure> {
        let flags = match Flags::parse(&[table::FLAGS], arguments) {
            Err(Misuse::Help) => return Ok(Self::Print(usage("daprd", &[table::FLAGS]))),
            other => other?,
        };
        if flags.bool("version") {
            return Ok(Self::Print(format!("{DAPR_VERSION}\n")));
        }
        if flags.bool("build-info") {
            return Ok(Self::Print(build_info()));
        }
        if flags.bool("wait") {
            return Ok(Self::Wait(flags.text("dapr-http-port").to_owned()));
        }
        let (log, app_id) = (Box::new(check::log(&flags)), flags.text("app-id").to_owned());
        let options = check::options(&flags, environment);
        options.map(|options| Self::Run(Box::new(options))).map_err(|reason| Failure::Invalid { reason, log, app_id })
    }

    /// How to use the command line.
    pub fn usage() -> String {
        usage("daprd", &[table::FLAGS])
    }
}

/// Why there are no options.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// Told in the log, as whoever reads it may not see anything else.
    #[error("{reason}")]
    Invalid { reason: Invalid, log: Box<Log>, app_id: String },
}

fn build_info() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("Version: {DAPR_VERSION}\nTrilby Version: {version}\n")
}
