//! A certificate authority process with its credentials in a temporary folder.
use crate::client::over_tcp;
use crate::sidecar::{Setup, binary, free_port};
use crate::wait::until;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// How an authority is started.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// `spec.mtls` of its configuration.
    pub(crate) mtls: Value,
    pub(crate) flags: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
}

/// A running authority; it is killed when dropped.
pub(crate) struct Sentry {
    child: Child,
    pub(crate) port: u16,
    metrics_port: u16,
    folder: TempDir,
}

impl Default for Wish {
    /// Certificates that live for a second.
    fn default() -> Self {
        let mtls = json!({"enabled": true, "workloadCertTTL": "1s"});
        Self { mtls, flags: Vec::new(), environment: Vec::new() }
    }
}

impl Wish {
    pub(crate) async fn start(self) -> Sentry {
        let folder = tempfile::tempdir().unwrap();
        let configuration = json!({
            "apiVersion": "dapr.io/v1alpha1", "kind": "Configuration", "metadata": {"name": "sentry"},
            "spec": {"mtls": self.mtls}
        });
        let file = folder.path().join("sentry.yaml");
        std::fs::write(&file, configuration.to_string()).unwrap();
        let (port, health, metrics_port) = (free_port(), free_port(), free_port());
        let mut command = Command::new(binary());
        command.arg("sentry").args(["--listen-address", "127.0.0.1", "--config"]).arg(&file);
        command.arg("--issuer-credentials").arg(folder.path());
        for (name, port) in [("port", port), ("healthz-port", health), ("metrics-port", metrics_port)] {
            command.args([format!("--{name}"), port.to_string()]);
        }
        command.args(self.flags).envs(self.environment);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let sentry = Sentry { child, port, metrics_port, folder };
        until("sentry is ready", async || text(health, "/healthz").await.is_some()).await;
        sentry
    }
}

impl Sentry {
    pub(crate) async fn start() -> Self {
        Wish::default().start().await
    }

    /// The folder of its credentials.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of its roots.
    pub(crate) fn roots(&self) -> PathBuf {
        self.folder().join("ca.crt")
    }

    /// A metric by its name behind `dapr_sentry_`, with its labels.
    pub(crate) async fn counted(&self, series: &str) -> u64 {
        let metrics = text(self.metrics_port, "/").await.unwrap_or_default();
        let prefix = format!("dapr_sentry_{series} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&prefix));
        line.map_or(0, |count| count.parse().unwrap())
    }

    /// Certificates that it has signed.
    pub(crate) async fn signed(&self) -> u64 {
        self.counted("cert_sign_success_total").await
    }

    /// A sidecar that has its identity from it, and was given the roots as they are now.
    pub(crate) fn sidecar(&self, app_id: &str, app_port: Option<u16>, names: &Path) -> Setup {
        let roots = std::fs::read_to_string(self.roots()).unwrap();
        self.sidecar_with(app_id, app_port, names, ("DAPR_TRUST_ANCHORS", &roots))
    }

    /// Like [`Sentry::sidecar`], with a file of roots that is followed.
    pub(crate) fn following_sidecar(&self, app_id: &str, app_port: Option<u16>, names: &Path) -> Setup {
        let file = self.roots().display().to_string();
        self.sidecar_with(app_id, app_port, names, ("DAPR_TRUST_ANCHORS_FILE", &file))
    }

    fn sidecar_with(&self, app_id: &str, app_port: Option<u16>, names: &Path, anchors: (&str, &str)) -> Setup {
        let setup = Setup::new(app_id, app_port).flag("--sentry-address", &format!("127.0.0.1:{}", self.port));
        let mut setup = in_folder(setup, names);
        setup.flags.push("--enable-mtls".to_owned());
        setup.environment.push((anchors.0.to_owned(), anchors.1.to_owned()));
        setup
    }
}

impl Drop for Sentry {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn text(port: u16, path: &str) -> Option<String> {
    let (status, body) = over_tcp(port, Method::GET, path, Bytes::new()).await.ok()?;
    (status == StatusCode::OK).then(|| String::from_utf8_lossy(&body).into_owned())
}

/// Sidecars find each other by a file in the folder. The app `caller` may do anything but one thing, others nothing.
pub(crate) fn in_folder(setup: Setup, folder: &Path) -> Setup {
    let configuration = json!({
        "apiVersion": "dapr.io/v1alpha1", "kind": "Configuration", "metadata": {"name": "names"},
        "spec": {
            "nameResolution": {"component": "sqlite", "version": "v1", "configuration": {
                "connectionString": folder.join("names.db")
            }},
            "accessControl": {"defaultAction": "deny", "trustDomain": "public", "policies": [
                {"appId": "caller", "namespace": "default", "trustDomain": "public", "defaultAction": "allow",
                 "operations": [{"name": "/secret/**", "httpVerb": ["*"], "action": "deny"}]}
            ]}
        }
    });
    Setup { configuration: Some(configuration.to_string()), ..setup }
}
