//! A sidecar process with its resources in a temporary folder.
use crate::client::{Answer, over_tcp};
use crate::wait::until;
use bytes::Bytes;
use http::{Method, StatusCode};
use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const CALL_PATIENCE: Duration = Duration::from_secs(30);

/// How a sidecar is started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    pub(crate) app_id: String,
    pub(crate) app_port: Option<u16>,
    /// YAML of each resource.
    pub(crate) resources: Vec<String>,
    /// YAML of a Configuration.
    pub(crate) configuration: Option<String>,
    pub(crate) flags: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Soft limit of open files, if it is to be a small one.
    pub(crate) open_files: Option<u32>,
}

/// A running sidecar; it is killed when dropped.
pub(crate) struct Sidecar {
    child: Child,
    pub(crate) port: u16,
    pub(crate) grpc_port: u16,
    pub(crate) internal_port: u16,
    pub(crate) metrics_port: u16,
    program: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    folder: TempDir,
}

impl Setup {
    /// A sidecar of an app.
    pub(crate) fn new(app_id: &str, app_port: Option<u16>) -> Self {
        Self { app_id: app_id.to_owned(), app_port, ..Self::default() }
    }

    /// Adds a component.
    pub(crate) fn component(mut self, name: &str, kind: &str, metadata: &[(&str, &str)]) -> Self {
        let metadata: Vec<_> =
            metadata.iter().map(|(name, value)| serde_json::json!({"name": name, "value": value})).collect();
        let spec = serde_json::json!({"type": kind, "version": "v1", "metadata": metadata});
        let component = serde_json::json!({
            "apiVersion": "dapr.io/v1alpha1", "kind": "Component", "metadata": {"name": name}, "spec": spec
        });
        self.resources.push(component.to_string());
        self
    }

    /// Adds a flag with its value.
    pub(crate) fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// Starts the sidecar and waits until it is ready.
    pub(crate) async fn start(self) -> Sidecar {
        let sidecar = self.spawn();
        sidecar.ready().await;
        sidecar
    }

    /// Starts the sidecar.
    pub(crate) fn spawn(self) -> Sidecar {
        let folder = tempfile::tempdir().unwrap();
        let [port, grpc_port, internal_port, metrics_port] = [(); 4].map(|()| free_port());
        let mut arguments: Vec<String> = ["daprd", "--app-id", &self.app_id].map(str::to_owned).to_vec();
        let mut flag = |name: &str, value: &str| arguments.extend([name.to_owned(), value.to_owned()]);
        let resources = folder.path().join("resources");
        std::fs::create_dir(&resources).unwrap();
        for (number, resource) in self.resources.iter().enumerate() {
            std::fs::write(resources.join(format!("{number}.yaml")), resource).unwrap();
        }
        flag("--resources-path", &resources.display().to_string());
        if let Some(configuration) = &self.configuration {
            let path = folder.path().join("configuration.yaml");
            std::fs::write(&path, configuration).unwrap();
            flag("--config", &path.display().to_string());
        }
        for address in ["dapr-listen-addresses", "dapr-internal-grpc-listen-address", "metrics-listen-address"] {
            flag(&format!("--{address}"), "127.0.0.1");
        }
        flag("--dapr-http-port", &port.to_string());
        flag("--dapr-grpc-port", &grpc_port.to_string());
        flag("--dapr-internal-grpc-port", &internal_port.to_string());
        flag("--metrics-port", &metrics_port.to_string());
        if let Some(app_port) = self.app_port {
            flag("--app-port", &app_port.to_string());
        }
        arguments.extend(self.flags);
        let environment = self.environment;
        let program = program(self.open_files);
        let child = spawn(&program, &arguments, &environment);
        Sidecar { child, port, grpc_port, internal_port, metrics_port, program, arguments, environment, folder }
    }
}

impl Sidecar {
    /// Waits until the sidecar is ready.
    pub(crate) async fn ready(&self) {
        until("the sidecar is ready", async || self.is_well().await).await;
    }

    /// Writes a resource file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.resources().join(name), text).unwrap();
    }

    /// Removes a resource file.
    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.resources().join(name)).unwrap();
    }

    /// The folder of the resource files.
    pub(crate) fn resources(&self) -> PathBuf {
        self.folder.path().join("resources")
    }

    /// Names in a list of the metadata document.
    pub(crate) async fn listed(&self, list: &str) -> Vec<String> {
        let Ok((_, body)) = self.get("/v1.0/metadata").await else { return Vec::new() };
        let document: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let names = document[list].as_array().into_iter().flatten();
        names.filter_map(|one| one["name"].as_str().or(one["topic"].as_str()).map(str::to_owned)).collect()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        over_tcp(self.port, Method::GET, path, Bytes::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        over_tcp(self.port, Method::POST, path, body).await
    }

    /// Calls a method of another app; tells what came of it unless that is well.
    pub(crate) async fn call(&self, callee: &str, method: &str) -> Result<(), String> {
        let path = format!("/v1.0/invoke/{callee}/method/{method}");
        let answer = tokio::time::timeout(CALL_PATIENCE, self.post(&path, "{}")).await;
        match answer.map_err(|_| "there was no answer in time".to_owned())? {
            Ok((StatusCode::OK, _)) => Ok(()),
            Ok((status, body)) => Err(format!("{status}: {}", String::from_utf8_lossy(&body))),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    /// The first series of a metric whose name, behind `dapr_`, and labels begin so; 0 when there is none.
    pub(crate) async fn counted(&self, series: &str) -> usize {
        let answer = over_tcp(self.metrics_port, Method::GET, "/", Bytes::new()).await;
        let metrics = answer.map_or(String::new(), |(_, body)| String::from_utf8_lossy(&body).into_owned());
        let line = metrics.lines().find(|line| line.starts_with(&format!("dapr_{series}")));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
    }

    /// Ends the process without any chance to clean up.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts the process again as it was started first.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(&self.program, &self.arguments, &self.environment);
        self.ready().await;
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Bytes of memory that the process had at most so far.
    pub(crate) fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// Whether it is there and says that all is well.
    pub(crate) async fn is_well(&self) -> bool {
        self.get("/v1.0/healthz").await.is_ok_and(|(status, _)| status == StatusCode::NO_CONTENT)
    }

    /// Waits until the process has ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut ended = None;
        until("the sidecar has ended", async || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        ended.unwrap()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Publishes a text; whether the sidecar at that port said that the broker has it.
pub(crate) async fn publish(port: u16, topic: &str, text: &str) -> bool {
    let body = serde_json::Value::from(text).to_string();
    let answer = over_tcp(port, Method::POST, &format!("/v1.0/publish/broker/{topic}"), body).await;
    answer.is_ok_and(|(status, _)| status == StatusCode::NO_CONTENT)
}

/// The program with what goes before its arguments.
fn program(open_files: Option<u32>) -> Vec<String> {
    let binary = binary().display().to_string();
    match open_files {
        None => vec![binary],
        Some(limit) => {
            vec!["sh".to_owned(), "-c".to_owned(), format!("ulimit -Sn {limit} && exec \"$0\" \"$@\""), binary]
        }
    }
}

fn spawn(program: &[String], arguments: &[String], environment: &[(String, String)]) -> Child {
    let mut command = Command::new(&program[0]);
    command.args(&program[1..]).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.env("DAPR_HOST_IP", "127.0.0.1").spawn().unwrap()
}

/// A port that nobody listens on and no other test was given. It is outside the range of outgoing connections, of which some
/// tests have thousands, so that it stays free until it is listened on.
pub(crate) fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    const PORTS: Range<u32> = 10_000..32_000;
    loop {
        let turn = std::process::id().wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(PORTS.start + turn % (PORTS.end - PORTS.start)).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("TRILBY_BIN") {
        return path.into();
    }
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(Path::parent).unwrap().join("trilby");
    assert!(path.exists(), "{} is not there: run `cargo build -p trilby` first, or ./test", path.display());
    path
}
