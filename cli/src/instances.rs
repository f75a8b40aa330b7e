//! Sidecars that run on this machine: found among the processes, and asked for their metadata.
use crate::client::{Address, Call, Client};
use crate::time;
use anyhow::Context as _;
use bytes::Bytes;
use futures_util::future::join_all;
use http::Method;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

const DEFAULT_HTTP_PORT: u16 = 3500;
const DEFAULT_GRPC_PORT: u16 = 50001;
const DEFAULT_BODY_SIZE: u64 = 4 << 20;
const DEFAULT_BUFFER_SIZE: u64 = 4 << 10;
const COMMAND_WIDTH: usize = 20;
const PATIENCE: Duration = Duration::from_secs(2);

/// A sidecar with its app, as `dapr list` shows it (names are Dapr's).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Instance {
    pub(crate) app_id: String,
    pub(crate) http_port: u16,
    pub(crate) grpc_port: u16,
    pub(crate) app_port: u16,
    pub(crate) metrics_enabled: bool,
    pub(crate) command: String,
    pub(crate) age: String,
    pub(crate) created: String,
    pub(crate) daprd_pid: u32,
    pub(crate) cli_pid: u32,
    pub(crate) app_pid: u32,
    pub(crate) max_request_body_size: u64,
    pub(crate) http_read_buffer_size: u64,
    pub(crate) run_template_path: String,
    pub(crate) app_log_path: String,
    pub(crate) daprd_log_path: String,
    pub(crate) run_template_name: String,
    /// Who started the sidecar, and still runs.
    #[serde(skip)]
    pub(crate) parent: Option<u32>,
    #[serde(skip)]
    sockets: Option<PathBuf>,
}

/// All sidecars of this machine. Those that do not answer are listed with what their command line tells.
pub(crate) async fn list(token: Option<String>) -> Vec<Instance> {
    let complete = |mut instance: Instance| {
        let client = instance.client(None, token.clone(), PATIENCE);
        async move {
            instance.add(&extended_metadata(&client).await.unwrap_or_default());
            instance
        }
    };
    join_all(running().into_iter().map(complete)).await
}

/// The sidecar of an app.
///
/// # Errors
/// None runs on this machine.
pub(crate) async fn find(app_id: &str, token: Option<String>) -> anyhow::Result<Instance> {
    let found = list(token).await.into_iter().find(|instance| instance.app_id == app_id);
    found.with_context(|| format!("app ID {app_id} not found; `dapr list` shows what runs"))
}

impl Instance {
    /// A client of its HTTP API; `sockets` is a folder that the caller knows it to serve sockets in.
    pub(crate) fn client(&self, sockets: Option<&Path>, token: Option<String>, deadline: Duration) -> Client {
        let sockets = sockets.or(self.sockets.as_deref());
        Client { address: Address::of(sockets, &self.app_id, "http", self.http_port), token, deadline }
    }

    fn read(arguments: &[String], pid: u32, started: u64) -> Self {
        let flags = flags(arguments);
        let text = |name: &str| flags.get(name).copied().unwrap_or_default();
        let port = |name: &str, default| text(name).parse().unwrap_or(default);
        Self {
            app_id: text("app-id").to_owned(),
            http_port: port("dapr-http-port", DEFAULT_HTTP_PORT),
            grpc_port: port("dapr-grpc-port", DEFAULT_GRPC_PORT),
            app_port: port("app-port", 0),
            metrics_enabled: text("enable-metrics") != "false",
            age: time::age(time::since(started)),
            created: time::created(started),
            daprd_pid: pid,
            max_request_body_size: size(text("max-body-size")).unwrap_or(DEFAULT_BODY_SIZE),
            http_read_buffer_size: size(text("read-buffer-size")).unwrap_or(DEFAULT_BUFFER_SIZE),
            sockets: Some(text("unix-domain-socket")).filter(|folder| !folder.is_empty()).map(PathBuf::from),
            ..Self::default()
        }
    }

    fn add(&mut self, extended: &BTreeMap<String, String>) {
        let text = |name: &str| extended.get(name).cloned().unwrap_or_default();
        let pid = |name: &str| text(name).parse().unwrap_or_default();
        self.command = shortened(&text("appCommand"));
        (self.cli_pid, self.app_pid) = (pid("cliPID"), pid("appPID"));
        self.run_template_path = text("runTemplatePath");
        self.run_template_name = text("runTemplateName");
        self.app_log_path = text("appLogPath");
        self.daprd_log_path = text("daprdLogPath");
    }
}

fn running() -> Vec<Instance> {
    let mut system = System::new();
    let kind = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always).without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
    let mut instances: Vec<_> = system.processes().values().filter_map(instance).collect();
    instances.sort_by_key(|instance| instance.daprd_pid);
    instances
}

fn instance(process: &sysinfo::Process) -> Option<Instance> {
    let words: Vec<String> = process.cmd().iter().map(|word: &OsString| word.to_string_lossy().into_owned()).collect();
    let arguments = daprd_arguments(&process.name().to_string_lossy(), &words)?;
    let mut instance = Instance::read(arguments, process.pid().as_u32(), process.start_time());
    instance.parent = process.parent().map(sysinfo::Pid::as_u32);
    (!instance.app_id.is_empty()).then_some(instance)
}

/// The arguments of a process that is a sidecar: by its name, by the name it was called by, or as `trilby daprd`.
fn daprd_arguments<'a>(name: &str, words: &'a [String]) -> Option<&'a [String]> {
    let (called, arguments) = words.split_first()?;
    let base = |path: &str| Path::new(path).file_stem().map(|name| name.to_string_lossy().to_lowercase());
    let is = |path: &str, wanted: &str| base(path).as_deref() == Some(wanted);
    if is(name, "daprd") || is(called, "daprd") {
        return Some(arguments);
    }
    let (first, arguments) = arguments.split_first()?;
    (is(called, "trilby") && first == "daprd").then_some(arguments)
}

/// Flags with their values; the last of a name wins.
fn flags(arguments: &[String]) -> BTreeMap<&str, &str> {
    let mut flags = BTreeMap::new();
    for (index, argument) in arguments.iter().enumerate() {
        let Some(text) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else { continue };
        let next = || arguments.get(index + 1).map(String::as_str).filter(|next| !next.starts_with("--"));
        let (name, value) = text.split_once('=').unwrap_or_else(|| (text, next().unwrap_or_default()));
        flags.insert(name, value);
    }
    flags
}

/// Bytes of a quantity such as `4Mi`.
fn size(text: &str) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" => 1,
        "k" => 1000,
        "Ki" => 1 << 10,
        "M" => 1_000_000,
        "Mi" => 1 << 20,
        "G" => 1_000_000_000,
        "Gi" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn shortened(command: &str) -> String {
    if command.chars().count() <= COMMAND_WIDTH {
        return command.to_owned();
    }
    let kept: String = command.chars().take(COMMAND_WIDTH - 3).collect();
    format!("{kept}...")
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    extended: BTreeMap<String, String>,
}

async fn extended_metadata(client: &Client) -> anyhow::Result<BTreeMap<String, String>> {
    let call =
        Call { method: Method::GET, path: "/v1.0/metadata", content_type: "application/json", body: Bytes::new() };
    let answer = client.send(call).await?;
    Ok(serde_json::from_slice::<Metadata>(&answer.body)?.extended)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn sidecars_are_told_by_their_names() {
        let found = |name: &str, line: &str| daprd_arguments(name, &words(line)).map(<[String]>::len);
        assert_eq!(found("daprd", "/usr/bin/daprd --app-id a"), Some(2));
        assert_eq!(found("trilby", "daprd --app-id a"), Some(2));
        assert_eq!(found("trilby", "./trilby daprd --app-id a"), Some(2));
        assert_eq!(found("trilby", "./trilby dapr run"), None);
        assert_eq!(found("bash", "bash -c daprd"), None);
        assert_eq!(found("daprd", ""), None);
    }

    #[test]
    fn command_lines_are_read_as_dapr_writes_them() {
        let line = "--app-id=a -app-port 80 --enable-metrics=false --enable-profiling --max-body-size 1Mi";
        let instance = Instance::read(&words(line), 7, 0);
        assert_eq!((instance.app_id.as_str(), instance.app_port, instance.http_port), ("a", 80, 3500));
        assert_eq!((instance.metrics_enabled, instance.max_request_body_size), (false, 1 << 20));
        assert_eq!((instance.http_read_buffer_size, instance.daprd_pid), (4096, 7));
    }

    #[test]
    fn what_the_cli_noted_is_shown() {
        let mut instance = Instance::default();
        let pairs = [("appCommand", "python3 a-long-command.py"), ("cliPID", "12"), ("appPID", "x")];
        instance.add(&pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!((instance.command.as_str(), instance.cli_pid, instance.app_pid), ("python3 a-long-co...", 12, 0));
    }
}
