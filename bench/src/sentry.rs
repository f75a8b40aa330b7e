//! A sentry process with credentials of its own, and what it comes to.
use crate::client::{Call, Client};
use crate::connection::Connection;
use crate::extremes::Figure;
use crate::load::Load;
use crate::process::{Process, free_port};
use crate::signing::{Signer, request};
use anyhow::Context;
use bytes::Bytes;
use foundation_drain::Drain;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Long enough for what a process does once after its start.
const SETTLING: Duration = Duration::from_secs(2);
const CONNECTIONS: usize = 8;
const WARM_UP: Duration = Duration::from_millis(500);
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// A running sentry; it is killed when dropped.
pub(crate) struct Sentry {
    process: Process,
    pub(crate) port: u16,
    metrics_port: u16,
    folder: TempDir,
}

impl Sentry {
    /// Starts a sentry whose certificates live so long, and waits until it is ready. Credentials are made by itself.
    pub(crate) async fn start(path: &Path, life: &str, flags: &[&str], drain: &Drain) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let configuration = folder.path().join("sentry.yaml");
        let text = serde_json::json!({
            "apiVersion": "dapr.io/v1alpha1", "kind": "Configuration", "metadata": {"name": "sentry"},
            "spec": {"mtls": {"enabled": true, "workloadCertTTL": life}}
        });
        std::fs::write(&configuration, text.to_string())?;
        let (port, health_port, metrics_port) = (free_port()?, free_port()?, free_port()?);
        let mut command = Command::new(path);
        command.args(["--log-level", "error", "--listen-address", "127.0.0.1", "--trust-domain", "localhost"]);
        command.args(["--port", &port.to_string(), "--healthz-port", &health_port.to_string()]);
        command.args(["--metrics-port", &metrics_port.to_string()]).arg("--config").arg(&configuration);
        command.arg("--issuer-credentials").arg(folder.path()).args(flags);
        let mut process = Process::start(command)?;
        process.wait_until_ready(health_port, &Call::control_plane_health(), drain).await?;
        Ok(Self { process, port, metrics_port, folder })
    }

    /// The file of its roots.
    pub(crate) fn roots(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// A metric by its name with its labels; 0 when there is none.
    pub(crate) async fn metric(&self, series: &str, drain: &Drain) -> anyhow::Result<u64> {
        let text = Client::connect(self.metrics_port, drain).await?.text("/").await?;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{series} ")));
        Ok(line.and_then(|value| value.parse().ok()).unwrap_or(0))
    }
}

/// Measures how much a sentry signs and how large it is.
pub(crate) async fn measure(path: &Path, duration: Duration, drain: &Drain) -> anyhow::Result<Vec<Figure>> {
    let sentry = Sentry::start(path, "24h", &[], drain).await?;
    tokio::time::sleep(SETTLING).await;
    let idle = sentry.process.memory()?;
    let request = request().context("making a signing request")?;
    load(&sentry, &request, WARM_UP, drain).await?;
    let before = sentry.process.cpu()?;
    let load = load(&sentry, &request, duration, drain).await?;
    let cpu = sentry.process.cpu()? - before;
    Ok(vec![
        ("sentry: idle memory (MiB)", idle / MEBIBYTE),
        ("sentry: memory under load (MiB)", sentry.process.memory()? / MEBIBYTE),
        ("sentry: certificates/s, of one core", load.count() as f64 / cpu),
        ("sentry: CPU/certificate (us)", cpu * 1e6 / load.count() as f64),
    ])
}

async fn load(sentry: &Sentry, request: &Bytes, duration: Duration, drain: &Drain) -> anyhow::Result<Load> {
    let mut all = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        all.push(Connection::Sign(Signer::connect(sentry.port, drain).await?, request.clone()));
    }
    Load::run(all, duration).await
}
