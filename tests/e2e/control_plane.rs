//! Jobs and actors with `dapr run` alone: placement and scheduler come with the first run and go with the last one.
use crate::app::App;
use crate::client::over_tcp;
use crate::dapr::{Running, User, port, unique};
use crate::wait::until;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::net::UnixStream;
use std::process::Command;

/// A run of an app that hosts carts.
struct Run {
    running: Running,
    app: App,
    port: u16,
}

impl Run {
    async fn start(user: &User) -> Self {
        Self::start_with(user, &[]).await
    }

    async fn start_with(user: &User, more: &[&str]) -> Self {
        let config = json!({"entities": ["cart"]}).to_string();
        let (app, app_id) = (App::start(&[("/dapr/config", StatusCode::OK, &config)]).await, unique("planner"));
        let app_port = app.port.to_string();
        let arguments = ["run", "-a", &app_id, "-p", &app_port, "--metrics-port", "0"];
        let running = user.run(&[&arguments[..], more].concat());
        let port = port(&user.started(&app_id).await);
        Self { running, app, port }
    }

    /// Makes what is refused as long as the sidecar has not reached the services.
    async fn make(&self, path: &str, body: &Value) {
        let made = async || {
            let answer = over_tcp(self.port, Method::POST, path, body.to_string()).await;
            answer.is_ok_and(|(status, _)| status == StatusCode::NO_CONTENT)
        };
        until(&format!("{path} is made"), made).await;
    }

    async fn has_job(&self, name: &str) -> bool {
        let answer = over_tcp(self.port, Method::GET, &format!("/v1.0/jobs/{name}"), "").await;
        answer.is_ok_and(|(status, _)| status == StatusCode::OK)
    }

    async fn comes_again(&self, path: &str) {
        let before = self.app.bodies(path).len();
        until(&format!("{path} comes again"), async || self.app.bodies(path).len() > before).await;
    }

    async fn end(mut self) {
        self.running.signal("-TERM");
        assert!(self.running.ended().await.success(), "{}", self.running.printed());
    }
}

/// The process of the control plane of a user.
fn process(user: &User) -> Option<u32> {
    let folder = user.path(".dapr/control-plane");
    let is_it = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.starts_with(b"control-plane\0") && String::from_utf8_lossy(&line).contains(folder.to_str().unwrap())
    };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(is_it)
}

async fn is_over(user: &User) {
    until("the control plane has ended", async || process(user).is_none()).await;
    assert!(!user.path(".dapr/control-plane/socket").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_and_reminders_need_nothing_but_a_run() {
    let user = User::new();
    let first = Run::start(&user).await;
    first.make("/v1.0/jobs/often", &json!({"schedule": "@every 100ms"})).await;
    first.make("/v1.0/actors/cart/7/reminders/pay", &json!({"dueTime": "0s", "period": "100ms"})).await;
    first.comes_again("/job/often").await;
    first.comes_again("/actors/cart/7/method/remind/pay").await;

    let second = Run::start(&user).await;
    let shared = process(&user).unwrap();
    second.make("/v1.0/jobs/regular", &json!({"schedule": "@every 100ms", "repeats": 100_000})).await;
    first.end().await;
    second.comes_again("/job/regular").await;
    assert_eq!(process(&user), Some(shared), "both use one");

    // It comes back with its ports, and nothing that it knew is lost.
    assert!(Command::new("kill").args(["-KILL", &shared.to_string()]).status().unwrap().success());
    until("there is another one", async || process(&user).is_some_and(|process| process != shared)).await;
    second.comes_again("/job/regular").await;
    second.comes_again("/actors/cart/7/method/remind/pay").await;
    second.end().await;
    is_over(&user).await;

    let third = Run::start(&user).await;
    third.comes_again("/actors/cart/7/method/remind/pay").await;
    third.end().await;
    is_over(&user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_are_killed_and_runs_that_need_nothing_leave_nothing() {
    let user = User::new();
    let mut alone = user.run(&["run", "--placement-host-address=", "--scheduler-host-address=", "--", "sleep", "0"]);
    assert!(alone.ended().await.success(), "{}", alone.printed());
    assert!(!user.path(".dapr/control-plane").exists());
    let mut killed = user.run(&["run", "--", "sleep", "1000"]);
    until("it has joined", async || UnixStream::connect(user.path(".dapr/control-plane/socket")).is_ok()).await;
    let sidecar = user.started_by(killed.child.id()).await;
    killed.signal("-KILL");
    killed.ended().await;
    is_over(&user).await;
    assert!(user.ask(&["stop", &sidecar]).0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_and_changes_what_the_scheduler_keeps() {
    let user = User::new();
    let run = Run::start(&user).await;
    run.make("/v1.0/jobs/later", &json!({"schedule": "@daily", "dueTime": "1h", "data": {"a": 1}})).await;
    run.make("/v1.0/jobs/often", &json!({"schedule": "@every 100ms", "repeats": 1_000_000})).await;
    run.make("/v1.0/actors/cart/7/reminders/pay", &json!({"dueTime": "2h", "period": "1h"})).await;
    run.comes_again("/job/often").await;
    let app_id = |name: &str| {
        let (_, listed) = user.ask(&["scheduler", "list", "-o", "json", "--filter", "app"]);
        let jobs: Vec<Value> = serde_json::from_str(&listed).unwrap();
        let found = jobs.iter().find(|job| job["name"].as_str().unwrap().ends_with(name)).cloned();
        found.unwrap_or_else(|| panic!("{listed}"))
    };
    let often = app_id("/often");
    assert!(often["count"].as_u64().unwrap() > 0 && often["lastTrigger"].is_string(), "{often}");
    let name = app_id("/later")["name"].as_str().unwrap().to_owned();
    let said = |arguments: &[&str]| {
        let (well, said) = user.ask(&[&["scheduler"], arguments].concat());
        assert!(well, "{said}");
        said
    };
    let table = said(&["list"]);
    assert!(table.starts_with("NAME") && table.contains("BEGIN") && table.contains("COUNT  LAST TRIGGER"), "{table}");
    assert!(table.contains("actor/cart/7/pay") && table.contains(&name), "{table}");
    assert!(!said(&["list", "--filter", "app"]).contains("actor/"));
    assert!(said(&["list", "-n", "elsewhere"]).contains("No jobs found in namespace \"elsewhere\""));
    assert!(said(&["get", &name, "-o", "yaml"]).contains("dueTime: 1h"));
    let (well, refused) = user.ask(&["scheduler", "get", "app/nobody/none"]);
    assert!(!well && refused.contains("job 'app/nobody/none' not found"), "{refused}");

    assert!(said(&["export", "-o", "jobs.bin"]).contains("Exported 3 jobs"));
    assert!(!user.ask(&["scheduler", "export", "-o", "jobs.bin"]).0, "a file is not overwritten");
    assert!(said(&["delete", &name]).contains(&format!("Deleted {name} in namespace 'default'.")));
    assert!(!run.has_job("later").await);
    assert!(said(&["delete-all", "all"]).contains("Deleted 2 jobs in namespace 'default'."));
    assert!(said(&["list"]).contains("No jobs found"));
    let count = run.app.bodies("/job/often").len();
    assert!(said(&["import", "-f", "jobs.bin"]).contains("Import from 'jobs.bin' complete."));
    assert!(run.has_job("later").await);
    until("what was imported runs", async || run.app.bodies("/job/often").len() > count).await;
    until("it is counted on", async || app_id("/often")["count"].as_u64() > often["count"].as_u64()).await;
    let again = app_id("/often");
    assert!(again["count"].as_u64() >= often["count"].as_u64(), "it goes on where it was: {again}");
    run.end().await;
}

/// Sidecars with an identity have a control plane that has one, beside that of the others.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_and_reminders_need_nothing_but_a_run_with_mtls() {
    let user = User::new();
    let configuration = user.path("secure.yaml");
    let text = json!({
        "apiVersion": "dapr.io/v1alpha1", "kind": "Configuration", "metadata": {"name": "secure"},
        "spec": {"mtls": {"enabled": true, "workloadCertTTL": "1s"}}
    });
    fs::write(&configuration, text.to_string()).unwrap();
    let configuration = configuration.display().to_string();
    let (open, secure) = (Run::start(&user).await, Run::start_with(&user, &["-c", &configuration]).await);
    for run in [&open, &secure] {
        run.make("/v1.0/jobs/often", &json!({"schedule": "@every 100ms"})).await;
        run.make("/v1.0/actors/cart/7/reminders/pay", &json!({"dueTime": "0s", "period": "100ms"})).await;
        run.comes_again("/job/often").await;
        run.comes_again("/actors/cart/7/method/remind/pay").await;
    }
    assert!(user.path(".dapr/control-plane-mtls/socket").exists());
    secure.end().await;
    until("its control plane has ended", async || !user.path(".dapr/control-plane-mtls/socket").exists()).await;
    open.comes_again("/job/often").await;
    open.end().await;
    is_over(&user).await;
}
