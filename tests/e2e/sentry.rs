//! A certificate authority whose certificates live for a second, and sidecars that have theirs from it.
use crate::app::App;
use crate::client::over_tcp;
use crate::sidecar::{Setup, Sidecar, binary, free_port};
use crate::wait::until;
use bytes::Bytes;
use http::{Method, StatusCode};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running authority; it is killed when dropped.
struct Sentry {
    child: Child,
    port: u16,
    metrics_port: u16,
    folder: TempDir,
}

impl Sentry {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let configuration = serde_json::json!({
            "apiVersion": "dapr.io/v1alpha1", "kind": "Configuration", "metadata": {"name": "sentry"},
            "spec": {"mtls": {"enabled": true, "workloadCertTTL": "1s"}}
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
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let sentry = Self { child, port, metrics_port, folder };
        until("sentry is ready", async || text(health, "/healthz").await.is_some()).await;
        sentry
    }

    async fn signed(&self) -> u64 {
        let metrics = text(self.metrics_port, "/").await.unwrap_or_default();
        let line = metrics.lines().find_map(|line| line.strip_prefix("dapr_sentry_cert_sign_success_total "));
        line.map_or(0, |count| count.parse().unwrap())
    }

    fn sidecar(&self, app_id: &str, app_port: Option<u16>, names: &Path) -> Setup {
        let roots = std::fs::read_to_string(self.folder.path().join("ca.crt")).unwrap();
        let setup = Setup::new(app_id, app_port).flag("--sentry-address", &format!("127.0.0.1:{}", self.port));
        let mut setup = in_folder(setup, names);
        setup.flags.push("--enable-mtls".to_owned());
        setup.environment.push(("DAPR_TRUST_ANCHORS".to_owned(), roots));
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

/// Sidecars find each other by a file in the folder.
fn in_folder(setup: Setup, folder: &Path) -> Setup {
    let configuration = serde_json::json!({
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

async fn call(caller: &Sidecar, method: &str) -> StatusCode {
    let answer = caller.post(&format!("/v1.0/invoke/callee/method/{method}"), "{}").await;
    answer.map_or(StatusCode::BAD_GATEWAY, |(status, _)| status)
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_while_certificates_are_renewed() {
    let names = tempfile::tempdir().unwrap();
    let app = App::start(&[]).await;
    let sentry = Sentry::start().await;
    let _callee = sentry.sidecar("callee", Some(app.port), names.path()).start().await;
    let caller = sentry.sidecar("caller", None, names.path()).start().await;
    until("the callee is found", async || call(&caller, "hello").await == StatusCode::OK).await;
    let (signed, mut calls) = (sentry.signed().await, 0);
    while sentry.signed().await < signed + 8 {
        assert_eq!(call(&caller, "hello").await, StatusCode::OK, "call {calls}");
        calls += 1;
    }
    // Its connection is a new one, by certificates that have been renewed.
    let late = sentry.sidecar("caller", None, names.path()).start().await;
    until("the late caller has found the callee", async || call(&late, "hello").await == StatusCode::OK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_with_an_identity_and_a_right_to_it_reach_the_app() {
    let names = tempfile::tempdir().unwrap();
    let app = App::start(&[]).await;
    let (sentry, other) = (Sentry::start().await, Sentry::start().await);
    let _callee = sentry.sidecar("callee", Some(app.port), names.path()).start().await;
    let caller = sentry.sidecar("caller", None, names.path()).start().await;
    until("the callee is found", async || call(&caller, "hello").await == StatusCode::OK).await;
    for path in ["secret/plans", "hello/../secret/plans", "hello%2F..%2Fsecret/plans", "SECRET/plans"] {
        assert_ne!(call(&caller, path).await, StatusCode::OK, "{path}");
    }
    let nobody = sentry.sidecar("nobody", None, names.path()).start().await;
    assert_eq!(call(&nobody, "hello").await, StatusCode::FORBIDDEN);
    let plain = in_folder(Setup::new("caller", None), names.path()).start().await;
    let foreign = other.sidecar("caller", None, names.path()).start().await;
    for stranger in [&plain, &foreign] {
        assert_eq!(call(stranger, "hello").await, StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(call(&caller, "hello").await, StatusCode::OK);
    assert!(app.bodies("/secret/plans").is_empty());
}
