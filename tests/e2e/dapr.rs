//! The command line tool: apps are run, listed, called and stopped as users do it.
use crate::app::App;
use crate::client::over_tcp;
use crate::sidecar::binary;
use crate::wait::until;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::TempDir;
use uuid::Uuid;

/// A user with a home of their own.
pub(crate) struct User {
    home: TempDir,
}

/// A `dapr` that runs on; it is killed when dropped, which its apps must not survive.
pub(crate) struct Running {
    pub(crate) child: Child,
    log: PathBuf,
}

impl User {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn dapr(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("dapr").args(arguments).current_dir(self.home.path()).stdin(Stdio::null());
        for variable in ["DAPR_RUNTIME_PATH", "DAPR_API_TOKEN"] {
            command.env_remove(variable);
        }
        command.env("HOME", self.home.path()).env("DAPR_HOST_IP", "127.0.0.1");
        // Whoever works on this machine too.
        command.env("TRILBY_OWN_CONTROL_PLANE", "true");
        command
    }

    /// Runs a command to its end. Returns whether it said it did well, and what it printed.
    pub(crate) fn ask(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.dapr(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    /// Starts a command that runs on.
    pub(crate) fn run(&self, arguments: &[&str]) -> Running {
        self.spawn(&mut self.dapr(arguments))
    }

    /// Starts what was made by [`User::dapr`].
    pub(crate) fn spawn(&self, command: &mut Command) -> Running {
        let log = self.home.path().join(format!("{}.log", Uuid::new_v4()));
        let file = File::create(&log).unwrap();
        let both = file.try_clone().unwrap();
        let child = command.stdout(file).stderr(both).spawn().unwrap();
        Running { child, log }
    }

    /// What `dapr list` tells of an app.
    fn listed(&self, app_id: &str) -> Option<Value> {
        let (_, text) = self.ask(&["list", "--output", "json"]);
        let all: Vec<Value> = serde_json::from_str(&text).unwrap();
        all.into_iter().find(|instance| instance["appId"] == app_id)
    }

    /// Waits until an app is listed with the process that it was run by.
    pub(crate) async fn started(&self, app_id: &str) -> Value {
        let mut found = None;
        until(&format!("{app_id} is listed"), async || {
            found = self.listed(app_id).filter(|instance| instance["cliPid"] != 0);
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// Waits until the run of a process is listed; returns the id of its app.
    pub(crate) async fn started_by(&self, process: u32) -> String {
        let mut found = None;
        until("the run is listed", async || {
            let (_, text) = self.ask(&["list", "--output", "json"]);
            let all: Vec<Value> = serde_json::from_str(&text).unwrap();
            let own = all.into_iter().find(|instance| instance["cliPid"] == process);
            found = own.and_then(|instance| instance["appId"].as_str().map(str::to_owned));
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }
}

impl Running {
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) async fn prints(&self, text: &str) {
        until(&format!("{text:?} is printed"), async || self.printed().contains(text)).await;
    }

    pub(crate) fn signal(&self, signal: &str) {
        kill(signal, self.child.id().into());
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut ended = None;
        until("the command has ended", async || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        ended.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        kill("-TERM", self.child.id().into());
        self.child.wait().ok();
        if std::thread::panicking() {
            println!("{}", self.printed());
        }
    }
}

fn kill(signal: &str, process: u64) {
    Command::new("kill").args([signal, &process.to_string()]).stderr(Stdio::null()).status().unwrap();
}

pub(crate) fn is_alive(process: &Value) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
}

pub(crate) fn port(instance: &Value) -> u16 {
    instance["httpPort"].as_u64().unwrap().try_into().unwrap()
}

/// Names that no other test, and nobody else on this network, has.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}", Uuid::new_v4())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_runs_without_any_preparation_and_its_end_ends_all() {
    let (user, app_id) = (User::new(), unique("short"));
    let script = "echo 1 to $DAPR_HTTP_PORT; echo $APP_ID >&2; exit 0";
    let mut run = user.run(&["run", "--app-id", &app_id, "--", "sh", "-c", script]);
    assert!(run.ended().await.success());
    let printed = run.printed();
    assert!(printed.contains(&format!("== APP - {app_id} == 1 to ")), "{printed}");
    assert!(printed.contains(&format!("== APP - {app_id} == {app_id}")), "{printed}");
    assert!(printed.contains("Exited App successfully") && printed.contains("Exited Dapr successfully"), "{printed}");
    assert!(user.listed(&app_id).is_none());
    assert!(user.path(".dapr/components/statestore.yaml").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_failure_of_an_app_is_told() {
    let user = User::new();
    let mut run = user.run(&["run", "--app-id", &unique("failing"), "sh", "--", "-c", "exit 3"]);
    assert_eq!(run.ended().await.code(), Some(1));
    assert!(run.printed().contains("The App process exited with error code: 3"));
    let mut run = user.run(&["run", "--app-id", &unique("missing"), "--", "no-such-program"]);
    assert_eq!(run.ended().await.code(), Some(1));
    assert!(run.printed().contains("no-such-program"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_sidecar_ends_the_app() {
    let (user, app_id) = (User::new(), unique("orphan"));
    let mut run = user.run(&["run", "--app-id", &app_id, "--", "sleep", "1000"]);
    let instance = user.started(&app_id).await;
    kill("-KILL", instance["daprdPid"].as_u64().unwrap());
    assert_eq!(run.ended().await.code(), Some(1));
    assert!(!is_alive(&instance["appPid"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_reach_the_app_with_its_children() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let (user, app_id) = (User::new(), unique("signalled"));
        let script = "trap 'echo ending; exit 0' TERM; sleep 1000 & echo child $!; wait";
        let mut run = user.run(&["run", "--app-id", &app_id, "--", "bash", "-c", script]);
        let mark = format!("== APP - {app_id} == child ");
        run.prints(&mark).await;
        let printed = run.printed();
        let child = printed.split(&mark).nth(1).and_then(|rest| rest.lines().next()).unwrap();
        let child: u64 = child.parse().unwrap();
        run.prints("You're up and running").await;
        run.signal(signal);
        assert!(run.ended().await.success(), "{}", run.printed());
        assert!(run.printed().contains("== ending"), "{}", run.printed());
        assert!(!is_alive(&Value::from(child)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_of_several_runs_call_each_other_and_share_a_broker() {
    let user = User::new();
    let subscriptions = json!([{"pubsubname": "pubsub", "topic": "orders", "route": "/events"}]).to_string();
    let answers =
        [("/dapr/subscribe", StatusCode::OK, subscriptions.as_str()), ("/hello", StatusCode::OK, "hello you")];
    let app = App::start(&answers).await;
    let (shop, client) = (unique("shop"), unique("client"));
    let shop_run = user.run(&["run", "-a", &shop, "-p", &app.port.to_string()]);
    let _client_run = user.run(&["run", "-a", &client]);
    shop_run.prints("dapr initialized").await;
    let caller = port(&user.started(&client).await);
    user.started(&shop).await;

    let (_, said) = user.ask(&["invoke", "--app-id", &shop, "--method", "hello", "--data", "{}"]);
    assert!(said.contains("hello you\n") && said.contains("App invoked successfully"), "{said}");
    until("the other run is found", async || {
        let path = format!("/v1.0/invoke/{shop}/method/hello");
        over_tcp(caller, Method::POST, &path, Bytes::new()).await.is_ok_and(|(status, _)| status == StatusCode::OK)
    })
    .await;
    let publish = ["publish", "-i", &client, "-p", "pubsub", "-t", "orders", "-d", "\"one\"", "-m", r#"{"a":"b"}"#];
    let (well, said) = user.ask(&publish);
    assert!(well && said.contains("Event published successfully"), "{said}");
    until("the event has arrived", async || app.events() == ["one"]).await;
    let (well, said) = user.ask(&["invoke", "-a", &unique("nobody"), "-m", "x"]);
    assert!(!well && said.contains("dapr list"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_show_what_runs_until_it_is_stopped() {
    let (user, app_id) = (User::new(), unique("listed"));
    let mut run = user.run(&["run", "--app-id", &app_id, "--metrics-port", "0", "--", "sleep", "1000"]);
    let instance = user.started(&app_id).await;
    assert_eq!(instance["cliPid"], run.child.id());
    assert_eq!(instance["command"], "sleep 1000");
    assert!(is_alive(&instance["appPid"]) && is_alive(&instance["daprdPid"]));
    let (_, table) = user.ask(&["list"]);
    let (header, row) = (table.lines().next().unwrap(), table.lines().find(|line| line.contains(&app_id)).unwrap());
    assert!(header.starts_with("APP ID ") && header.contains("  HTTP PORT  GRPC PORT  APP PORT  COMMAND "), "{table}");
    assert!(row.contains("sleep 1000"), "{table}");
    let (_, yaml) = user.ask(&["list", "-o", "yaml"]);
    assert!(yaml.contains(&format!("appId: {app_id}\n")), "{yaml}");
    let (_, said) = user.ask(&["stop", "--app-id", &app_id]);
    assert!(said.contains(&format!("app stopped successfully: {app_id}")), "{said}");
    assert!(run.ended().await.success());
    let (well, said) = user.ask(&["stop", "--app-id", &app_id]);
    assert!(well && said.contains("couldn't find app id"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_serve_in_place_of_ports() {
    let user = User::new();
    let app = App::start(&[("/hello", StatusCode::OK, "hello you")]).await;
    let (app_id, sockets) = (unique("s"), tempfile::tempdir().unwrap());
    let folder = sockets.path().to_str().unwrap();
    let mut run = user.run(&["run", "-a", &app_id, "-p", &app.port.to_string(), "-u", folder]);
    run.prints("You're up and running").await;
    run.prints("dapr initialized").await;
    let (_, said) = user.ask(&["invoke", "-u", folder, "-a", &app_id, "-m", "hello", "-v", "GET"]);
    assert!(said.contains("hello you"), "{said}");
    let (well, said) = user.ask(&["publish", "-u", folder, "-i", &app_id, "-p", "pubsub", "-t", "orders", "-d", "1"]);
    assert!(well, "{said}");
    run.signal("-TERM");
    assert!(run.ended().await.success());
    assert_eq!(fs::read_dir(sockets.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_run_several_apps_until_they_are_stopped() {
    let (user, first, second) = (User::new(), unique("first"), unique("second"));
    let template = json!({"version": 1, "name": "pair", "common": {"env": {"GREETING": "hello"}}, "apps": [
        {"appID": first, "appDirPath": "one", "command": ["sh", "-c", "echo $GREETING from $(basename $PWD); exit 4"]},
        {"appID": second, "appDirPath": "two", "appLogDestination": "file", "command": ["sleep", "1000"]},
    ]});
    for folder in ["one", "two"] {
        fs::create_dir(user.path(folder)).unwrap();
    }
    fs::write(user.path("dapr.yaml"), template.to_string()).unwrap();
    let mut run = user.run(&["run", "--run-file", "."]);
    let instance = user.started(&second).await;
    run.prints(&format!("== APP - {first} == hello from one")).await;
    run.prints(&format!("The App process of {first} exited with error code: 4")).await;
    assert_eq!(instance["runTemplateName"], "pair");
    assert_eq!(instance["runTemplatePath"], user.path("dapr.yaml").to_str().unwrap());
    let logs = user.path("two/.dapr/logs");
    assert!(Path::new(instance["appLogPath"].as_str().unwrap()).starts_with(&logs));
    let log = fs::read_to_string(instance["daprdLogPath"].as_str().unwrap()).unwrap();
    assert!(log.contains("dapr initialized"), "{log}");
    assert!(is_alive(&user.started(&first).await["daprdPid"]), "one app ends without its sidecar and the others");
    let (_, said) = user.ask(&["stop", "--run-file", "dapr.yaml"]);
    assert!(said.contains("stopped successfully"), "{said}");
    assert!(run.ended().await.success());
    assert!(!is_alive(&instance["appPid"]) && !is_alive(&instance["daprdPid"]));
}

#[test]
fn a_template_with_an_app_that_cannot_start_leaves_nothing_behind() {
    let (user, good) = (User::new(), unique("good"));
    let template = json!({"version": 1, "apps": [
        {"appID": good, "appDirPath": ".", "command": ["sleep", "1000"]},
        {"appID": unique("bad"), "appDirPath": ".", "command": ["no-such-program"]},
    ]});
    fs::write(user.path("dapr.yaml"), template.to_string()).unwrap();
    let (well, said) = user.ask(&["run", "-f", "dapr.yaml"]);
    assert!(!well && said.contains("no-such-program"), "{said}");
    assert!(user.listed(&good).is_none());
}

#[test]
fn installing_links_this_program() {
    let user = User::new();
    let (well, said) = user.ask(&["init"]);
    assert!(well && said.contains("Success!"), "{said}");
    for (name, flag) in [("daprd", "--version"), ("dapr", "version")] {
        let output = Command::new(user.path(".dapr/bin").join(name)).arg(flag).output().unwrap();
        assert!(String::from_utf8(output.stdout).unwrap().contains("1.18"));
    }
    let (_, components) = user.ask(&["components"]);
    assert!(components.contains("state.sqlite") && components.contains("pubsub.sqlite"), "{components}");
    let (_, configurations) = user.ask(&["configurations", "-o", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&configurations).unwrap()[0]["name"], "daprConfig");
    assert!(user.ask(&["init"]).0, "a second time changes nothing");
    assert!(user.ask(&["uninstall"]).0 && user.path(".dapr/components").exists());
    assert!(user.ask(&["uninstall", "--all"]).0 && !user.path(".dapr").exists());
    assert!(user.ask(&["init", "--slim"]).0);
    assert_eq!(fs::read_dir(user.path(".dapr/components")).unwrap().count(), 0);
}

#[test]
fn the_name_of_a_link_tells_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let (symbolic, hard) = (folder.path().join("daprd"), folder.path().join("dapr"));
    std::os::unix::fs::symlink(binary(), &symbolic).unwrap();
    if fs::hard_link(binary(), &hard).is_err() {
        fs::copy(binary(), &hard).unwrap(); // Another file system.
    }
    let printed = |program: &Path, argument: &str| {
        let output = Command::new(program).arg(argument).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    assert_eq!(printed(&symbolic, "--version"), (Some(0), "1.18.3\n".to_owned()));
    assert!(printed(&hard, "--version").1.starts_with("CLI version: 1.18.0 \nRuntime version: "));
    assert!(printed(&binary(), "--help").1.contains("daprd"));
    let (code, said) = printed(&binary(), "dapre");
    assert_eq!(code, Some(2));
    assert!(said.contains("unknown program \"dapre\"") && said.contains("Usage: trilby PROGRAM"), "{said}");
}

#[test]
fn what_is_not_there_says_so() {
    let user = User::new();
    for command in [&["list", "-k"][..], &["run", "-k", "-f", "."], &["init", "-k"], &["annotate", "-k", "x.yaml"]] {
        let (well, said) = user.ask(command);
        assert!(!well && said.contains("not in this build yet"), "{said}");
    }
    let (well, said) = user.ask(&["version", "--output", "json"]);
    let versions: Value = serde_json::from_str(&said).unwrap();
    assert!(well && versions["Runtime version"] == "1.18.3" && versions["Cli version"] == "1.18.0", "{said}");
    for shell in ["bash", "zsh", "fish", "powershell"] {
        assert!(user.ask(&["completion", shell]).1.contains("uninstall"));
    }
}
