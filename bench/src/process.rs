//! Processes under measurement, and what the system says of them.
use crate::backend::Components;
use crate::client::{Call, Client};
use crate::sentry::Sentry;
use anyhow::{Context, bail};
use foundation_drain::Drain;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const START: Duration = Duration::from_secs(30);
/// Clock ticks of a second in `/proc`, which Linux fixes for all programs.
const TICKS: f64 = 100.0;

/// An app behind a sidecar.
#[derive(Clone, Copy, Debug)]
pub(crate) struct App {
    pub(crate) port: u16,
    protocol: &'static str,
}

impl App {
    pub(crate) fn http(port: u16) -> Self {
        Self { port, protocol: "http" }
    }

    pub(crate) fn grpc(port: u16) -> Self {
        Self { port, protocol: "grpc" }
    }
}

/// A daprd and what it runs with.
#[derive(Clone, Copy)]
pub(crate) struct Binary<'a> {
    pub(crate) path: &'a Path,
    /// The sentry that belongs to it.
    pub(crate) sentry: Option<&'a Path>,
    pub(crate) components: &'a Components,
}

/// What else a sidecar is started with.
#[derive(Clone, Copy, Default)]
pub(crate) struct Setup<'a> {
    /// Calls others over mutual TLS.
    pub(crate) sentry: Option<&'a Sentry>,
    pub(crate) flags: &'a [String],
}

/// A running process; it is killed when dropped.
pub(crate) struct Process(Child);

/// A running sidecar with the components `store` and `broker`.
pub(crate) struct Daprd {
    pub(crate) process: Process,
    pub(crate) port: u16,
    pub(crate) grpc_port: u16,
    /// From the start of the process to its first answer that it is ready.
    pub(crate) start: Duration,
    _folder: TempDir,
}

impl Daprd {
    /// Starts a sidecar for an app, or for none, and waits until it is ready.
    pub(crate) async fn start(
        binary: &Binary<'_>,
        app_id: &str,
        app: Option<App>,
        setup: Setup<'_>,
        drain: &Drain,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        binary.components.write(folder.path())?;
        let (port, grpc_port) = (free_port()?, free_port()?);
        let mut command = Command::new(binary.path);
        command.args(["--app-id", app_id, "--log-level", "error", "--dapr-listen-addresses", "127.0.0.1"]);
        command.args(["--dapr-internal-grpc-listen-address", "127.0.0.1", "--metrics-listen-address", "127.0.0.1"]);
        command.args(["--dapr-http-port", &port.to_string(), "--dapr-grpc-port", &grpc_port.to_string()]);
        command.args(["--metrics-port", &free_port()?.to_string()]);
        command.args(["--dapr-internal-grpc-port", &free_port()?.to_string()]);
        command.args(["--max-body-size", "1Gi"]).arg("--resources-path").arg(folder.path());
        command.args(setup.flags);
        if let Some(sentry) = setup.sentry {
            command.args(["--enable-mtls", "--sentry-address", &format!("127.0.0.1:{}", sentry.port)]);
            command.env("DAPR_TRUST_ANCHORS_FILE", sentry.roots());
        }
        if let Some(App { port, protocol }) = app {
            command.args(["--app-port", &port.to_string(), "--app-protocol", protocol]);
        }
        let started = Instant::now();
        let mut process = Process::start(command)?;
        process.wait_until_ready(port, &Call::health(), drain).await?;
        Ok(Self { process, port, grpc_port, start: started.elapsed(), _folder: folder })
    }
}

impl Process {
    /// Starts a program whose errors are seen.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let child = command.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
        Ok(Self(child))
    }

    /// Waits until a call of its HTTP port is answered well.
    pub(crate) async fn wait_until_ready(&mut self, port: u16, call: &Call, drain: &Drain) -> anyhow::Result<()> {
        let started = Instant::now();
        while started.elapsed() < START {
            if let Some(status) = self.0.try_wait()? {
                bail!("it ended with {status} before it was ready");
            }
            if let Ok(mut client) = Client::connect(port, drain).await
                && client.send(call).await.is_ok()
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        bail!("it was not ready after {} seconds", START.as_secs())
    }

    /// Seconds of processor time so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<f64> {
        cpu(&self.0.id().to_string())
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> anyhow::Result<f64> {
        self.status("VmRSS:")
    }

    /// Resident memory in bytes when it was highest.
    pub(crate) fn peak_memory(&self) -> anyhow::Result<f64> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("reading /proc")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Seconds of processor time of this process so far.
pub(crate) fn own_cpu() -> anyhow::Result<f64> {
    cpu("self")
}

fn cpu(process: &str) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = stat.rsplit_once(") ").context("reading /proc")?.1;
    let fields: Vec<f64> = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(fields.iter().sum::<f64>() / TICKS)
}

/// A port of loopback that nobody uses.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
