//! How a Kafka server is started: broker and controller in one process.
use super::{Program, free_port, variable};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::Command;

/// The version that conformance/install has.
const VERSION: &str = "4.1.0";
const LOOPBACK: &str = "127.0.0.1";

/// What a server has beside its usual listener.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Partitions of topics that are made when they are first used.
    pub partitions: u32,
    /// Names and ports of more listeners, and the protocol of each, such as `SASL_PLAINTEXT`.
    pub listeners: Vec<(&'static str, u16, &'static str)>,
    /// More properties.
    pub properties: Vec<(String, String)>,
    /// Users who are there from the beginning, as `SCRAM-SHA-256=[name=me,password=secret]`.
    pub users: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { partitions: 1, listeners: Vec::new(), properties: Vec::new(), users: Vec::new() }
    }
}

/// A server that keeps all of its files in the folder.
pub(super) async fn prepare(port: u16, folder: &str, settings: Settings) -> Program {
    let file = format!("{folder}/server.properties");
    fs::write(&file, properties(port, folder, &settings)).expect("a file of properties");
    let class_path = format!("{}/*", jars().to_string_lossy());
    let java = ["-Xmx512m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &class_path];
    let mut format = Command::new("java");
    format.args(java).args(["kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", &file]);
    format.args(settings.users.iter().flat_map(|user| ["--add-scram", user]));
    let made = format.stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    assert!(
        made.is_ok_and(|made| made.success()),
        "kafka makes the files of the server; conformance/install installs it"
    );
    let arguments = java.into_iter().chain(["kafka.Kafka", &file]).map(str::to_owned).collect();
    Program { tells_address: true, is_quiet: true, ..Program::new("java".to_owned(), arguments, "-KILL") }
}

fn jars() -> PathBuf {
    if let Some(folder) = variable("TRILBY_TEST_KAFKA") {
        return folder.into();
    }
    PathBuf::from(variable("HOME").expect("a home folder")).join(".cache/trilby/kafka").join(VERSION)
}

fn properties(port: u16, folder: &str, settings: &Settings) -> String {
    let controller = free_port();
    let own = [("PLAIN", port, "PLAINTEXT")];
    let listeners: Vec<_> = own.iter().chain(&settings.listeners).collect();
    let at = |(name, port, _): &&(&str, u16, &str)| format!("{name}://{LOOPBACK}:{port}");
    let places = listeners.iter().map(at).collect::<Vec<_>>().join(",");
    let protocols = listeners.iter().map(|(name, _, protocol)| format!("{name}:{protocol}"));
    let protocols = protocols.collect::<Vec<_>>().join(",");
    let mut text = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@{LOOPBACK}:{controller}\n\
         controller.listener.names=CONTROLLER\nlisteners={places},CONTROLLER://{LOOPBACK}:{controller}\n\
         advertised.listeners={places}\ninter.broker.listener.name=PLAIN\n\
         listener.security.protocol.map={protocols},CONTROLLER:PLAINTEXT\nlog.dirs={folder}/data\n\
         num.partitions={}\nauto.create.topics.enable=true\noffsets.topic.num.partitions=1\n\
         offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\ngroup.initial.rebalance.delay.ms=0\ngroup.min.session.timeout.ms=500\n\
         num.network.threads=2\nnum.io.threads=2\nlog.cleaner.enable=false\n",
        settings.partitions
    );
    for (name, value) in &settings.properties {
        writeln!(text, "{name}={value}").expect("a text takes all");
    }
    text
}
