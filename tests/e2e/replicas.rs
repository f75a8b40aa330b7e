//! Processes of the placement service, one or several that elect the one that serves.
use crate::authority::Sentry;
use crate::client::over_tcp;
use crate::sidecar::{Setup, binary, free_port};
use crate::wait::until;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;
use std::process::{Child, Command, Stdio};

/// The replicas of one placement service; they are killed when dropped.
pub(crate) struct Replicas {
    all: Vec<Replica>,
}

struct Replica {
    child: Option<Child>,
    /// It hangs, and answers nobody.
    hangs: bool,
    arguments: Vec<String>,
    port: u16,
    health: u16,
    metrics: u16,
}

impl Replicas {
    /// Starts so many, with identities if there is somebody to give them.
    pub(crate) fn start(count: usize, sentry: Option<&Sentry>) -> Self {
        Self::with(count, sentry, &[])
    }

    /// The same, with more flags.
    pub(crate) fn with(count: usize, sentry: Option<&Sentry>, flags: &[&str]) -> Self {
        let cluster: Vec<_> = (0..count).map(|number| format!("p{number}=127.0.0.1:{}", free_port())).collect();
        let mut all: Vec<_> = (0..count).map(|number| Replica::new(number, &cluster.join(","), sentry)).collect();
        all.iter_mut().for_each(|replica| replica.arguments.extend(flags.iter().map(|flag| (*flag).to_owned())));
        all.iter_mut().for_each(Replica::spawn);
        Self { all }
    }

    /// Lets a sidecar use them.
    pub(crate) fn serve(&self, setup: Setup) -> Setup {
        let addresses: Vec<_> = self.all.iter().map(|replica| format!("127.0.0.1:{}", replica.port)).collect();
        setup.flag("--placement-host-address", &addresses.join(","))
    }

    /// Waits for the replica that leads.
    pub(crate) async fn leader(&self) -> usize {
        let mut leaders = Vec::new();
        until("one replica leads", async || {
            leaders = self.leaders().await;
            leaders.len() == 1
        })
        .await;
        leaders[0]
    }

    /// Replicas that say that they lead; nobody asks those that hang.
    pub(crate) async fn leaders(&self) -> Vec<usize> {
        let mut leaders = Vec::new();
        for (number, replica) in self.all.iter().enumerate().filter(|(_, replica)| !replica.hangs) {
            let metrics = text(replica.metrics, "/metrics").await.unwrap_or_default();
            if metrics.lines().any(|line| line == "dapr_placement_leader_status 1") {
                leaders.push(number);
            }
        }
        leaders
    }

    /// The version of the tables, and how many hosts are in them; none where nobody serves.
    pub(crate) async fn tables(&self, number: usize) -> Option<(u64, usize)> {
        let document: Value = serde_json::from_str(&text(self.all[number].health, "/placement/state").await?).ok()?;
        let table = &document["tables"]["default"];
        Some((table["version"].as_u64()?, table["hosts"].as_array()?.len()))
    }

    /// Ends a process without any chance to clean up.
    pub(crate) fn kill(&mut self, number: usize) {
        self.all[number].kill();
    }

    pub(crate) fn restart(&mut self, number: usize) {
        self.all[number].spawn();
    }

    /// Lets a process hang, with all its connections.
    pub(crate) fn hang(&mut self, number: usize) {
        self.all[number].signal("-STOP");
        self.all[number].hangs = true;
    }

    /// Lets it go on.
    pub(crate) fn go_on(&mut self, number: usize) {
        self.all[number].signal("-CONT");
        self.all[number].hangs = false;
    }
}

impl Replica {
    fn new(number: usize, cluster: &str, sentry: Option<&Sentry>) -> Self {
        let [port, health, metrics] = [(); 3].map(|()| free_port());
        let mut arguments: Vec<String> = ["placement", "--metadata-enabled"].map(str::to_owned).to_vec();
        let mut flag = |name: &str, value: &str| arguments.push(format!("--{name}={value}"));
        flag("id", &format!("p{number}"));
        flag("initial-cluster", cluster);
        for address in ["listen-address", "healthz-listen-address", "metrics-listen-address"] {
            flag(address, "127.0.0.1");
        }
        for (name, port) in [("port", port), ("healthz-port", health), ("metrics-port", metrics)] {
            flag(name, &port.to_string());
        }
        if let Some(sentry) = sentry {
            flag("tls-enabled", "true");
            flag("trust-anchors-file", &sentry.roots().display().to_string());
            flag("sentry-address", &format!("127.0.0.1:{}", sentry.port));
        }
        Self { child: None, hangs: false, arguments, port, health, metrics }
    }

    fn spawn(&mut self) {
        let mut command = Command::new(binary());
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
    }

    fn signal(&self, signal: &str) {
        let process = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn text(port: u16, path: &str) -> Option<String> {
    let (status, body) = over_tcp(port, Method::GET, path, Bytes::new()).await.ok()?;
    (status == StatusCode::OK).then(|| String::from_utf8_lossy(&body).into_owned())
}
