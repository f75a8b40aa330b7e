//! Jobs and reminders on a scheduler of its own, with real processes.
use crate::app::App;
use crate::authority::Sentry;
use crate::client::{Answer, over_tcp};
use crate::scheduler::{Scheduler, job};
use crate::sidecar::{Setup, Sidecar, binary, free_port};
use crate::wait::until;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const NO_CONTENT: StatusCode = StatusCode::NO_CONTENT;

async fn sidecar(app: &App, scheduler: &Scheduler, flags: &[(&str, String)]) -> Sidecar {
    let setup =
        Setup::new("planner", Some(app.port)).component("store", "state.in-memory", &[("actorStateStore", "true")]);
    let setup = setup.flag("--scheduler-host-address", &scheduler.address());
    flags.iter().fold(setup, |setup, (name, value)| setup.flag(name, value)).start().await
}

async fn schedule(sidecar: &Sidecar, name: &str, job: Value) {
    let (status, body) = sidecar.post(&format!("/v1.0/jobs/{name}"), job.to_string()).await.unwrap();
    assert_eq!(status, NO_CONTENT, "{body:?}");
}

async fn delete(sidecar: &Sidecar, path: &str) -> Answer {
    over_tcp(sidecar.port, Method::DELETE, path, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_reach_the_app_before_and_after_a_kill_of_the_scheduler() {
    let (app, mut scheduler) = (App::start(&[]).await, Scheduler::start().await);
    let sidecar = sidecar(&app, &scheduler, &[]).await;
    schedule(&sidecar, "once", json!({"dueTime": "0s", "data": {"a": [1, "x", null]}})).await;
    until("the job has come", async || !app.bodies("/job/once").is_empty()).await;
    assert_eq!(app.bodies("/job/once"), [r#"{"a":[1,"x",null]}"#]);
    schedule(&sidecar, "often", json!({"schedule": "@every 100ms", "data": "tick"})).await;
    until("it has come twice", async || app.bodies("/job/often").len() >= 2).await;
    scheduler.restart().await;
    let before = app.bodies("/job/often").len();
    until("it comes again", async || app.bodies("/job/often").len() > before).await;
    let (status, body) = sidecar.get("/v1.0/jobs/often").await.unwrap();
    let job: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (status, &job["schedule"], &job["data"]["value"]),
        (StatusCode::OK, &json!("@every 100ms"), &json!("tick"))
    );
    assert_eq!(delete(&sidecar, "/v1.0/jobs/often").await.unwrap().0, NO_CONTENT);
    let (status, body) = sidecar.get("/v1.0/jobs/often").await.unwrap();
    assert!(status.is_server_error() && String::from_utf8_lossy(&body).contains("DAPR_SCHEDULER_GET_JOB"), "{body:?}");
    let again = json!({"dueTime": "1h"});
    schedule(&sidecar, "kept", again.clone()).await;
    let (status, _) = sidecar.post("/v1.0/jobs/kept", again.to_string()).await.unwrap();
    assert_eq!(status, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_ends_waits_for_the_jobs_in_work() {
    let (app, scheduler) = (App::start(&[("/job/slow", StatusCode::OK, "done")]).await, Scheduler::start().await);
    app.hold("/job/slow");
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut ending = sidecar(&app, &scheduler, &[("--log-file", log.path().display().to_string())]).await;
    schedule(&ending, "slow", json!({"dueTime": "0s"})).await;
    until("the job has come", async || !app.bodies("/job/slow").is_empty()).await;
    ending.signal("-TERM");
    let is_ending = async || std::fs::read_to_string(log.path()).unwrap().contains("Dapr is shutting down");
    until("the sidecar ends", is_ending).await;
    // By then the connection to the app would be cut.
    tokio::time::sleep(Duration::from_millis(300)).await;
    app.release("/job/slow");
    assert_eq!(ending.ended().await.code(), Some(0));
    let next = sidecar(&app, &scheduler, &[]).await;
    schedule(&next, "last", json!({"dueTime": "0s"})).await;
    until("the next job has come", async || !app.bodies("/job/last").is_empty()).await;
    assert!(next.get("/v1.0/jobs/slow").await.unwrap().0.is_server_error(), "the scheduler knows that it is done");
    assert_eq!(app.bodies("/job/slow").len(), 1);
}

/// The kernel goes on to answer for the connections of a process that hangs.
#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_hangs_is_given_up_and_taken_again() {
    let (app, scheduler) = (App::start(&[]).await, Scheduler::start().await);
    let sidecar = sidecar(&app, &scheduler, &[]).await;
    schedule(&sidecar, "often", json!({"schedule": "@every 100ms"})).await;
    until("the job has come", async || !app.bodies("/job/often").is_empty()).await;
    scheduler.signal("-STOP");
    let (status, body) = sidecar.post("/v1.0/jobs/lost", json!({"dueTime": "1h"}).to_string()).await.unwrap();
    let body = String::from_utf8_lossy(&body);
    assert!(status.is_server_error() && !body.contains("deadline exceeded"), "it was not waited for: {body}");
    scheduler.signal("-CONT");
    let before = app.bodies("/job/often").len();
    until("it comes again", async || app.bodies("/job/often").len() > before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_is_tried_again_as_its_policy_says() {
    let (app, scheduler) = (App::start(&[("/job/hard", StatusCode::BAD_GATEWAY, "")]).await, Scheduler::start().await);
    let sidecar = sidecar(&app, &scheduler, &[]).await;
    let policy = json!({"constant": {"interval": "0.05s", "maxRetries": 4}});
    schedule(&sidecar, "hard", json!({"dueTime": "0s", "failurePolicy": policy})).await;
    until("it was tried three times", async || app.bodies("/job/hard").len() == 3).await;
    app.answer("/job/hard", StatusCode::OK, "");
    let is_gone = async || sidecar.get("/v1.0/jobs/hard").await.is_ok_and(|(status, _)| status.is_server_error());
    until("it is done", is_gone).await;
    assert!(app.bodies("/job/hard").len() <= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_ticks_come_as_the_job_wants() {
    let (app, scheduler) = (App::start(&[]).await, Scheduler::start().await);
    let sidecar = sidecar(&app, &scheduler, &[]).await;
    let due = json!({"schedule": "@every 1h", "dueTime": "2020-01-01T00:00:00Z"});
    for policy in ["fire_once", "skip"] {
        let mut job = due.clone();
        job["misfirePolicy"] = policy.into();
        schedule(&sidecar, policy, job).await;
    }
    until("one has come for all", async || !app.bodies("/job/fire_once").is_empty()).await;
    let status = async |name: &str| scheduler.status("planner", name).await;
    until("it goes on an hour later", async || status("fire_once").await.runs == 1).await;
    // Thousands of hours have been passed over.
    let next = status("fire_once").await.next_run.unwrap();
    assert!(next.to_string().as_str() > "2026", "{next}");
    assert_eq!((app.bodies("/job/fire_once").len(), app.bodies("/job/skip").len()), (1, 0));
    let wrong = json!({"dueTime": "1h", "misfirePolicy": "never"}).to_string();
    let (status, body) = sidecar.post("/v1.0/jobs/wrong", wrong).await.unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8_lossy(&body).contains("fire_once"), "{body:?}");
}

/// A placement service; it is killed when dropped.
struct Placement(Child, u16);

impl Placement {
    fn start() -> Self {
        let [port, health, metrics] = [(); 3].map(|()| free_port());
        let mut command = Command::new(binary());
        command.args(["placement", "--listen-address=127.0.0.1", &format!("--port={port}")]);
        command.args([format!("--healthz-port={health}"), format!("--metrics-port={metrics}")]);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(), port)
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_when_the_scheduler_is_killed_comes_again() {
    let config = json!({"entities": ["cart"]}).to_string();
    let answers = [("/dapr/config", StatusCode::OK, config.as_str())];
    let (app, mut scheduler, placement) = (App::start(&answers).await, Scheduler::start().await, Placement::start());
    let sidecar =
        sidecar(&app, &scheduler, &[("--placement-host-address", format!("127.0.0.1:{}", placement.1))]).await;
    let jobs: Vec<_> = (0..20).map(|number| format!("/job/{number}")).collect();
    let reminders: Vec<_> = (0..20).map(|number| format!("/actors/cart/{number}/method/remind/pay")).collect();
    let told = || jobs.iter().chain(&reminders);
    told().for_each(|path| app.hold(path));
    for number in 0..20 {
        schedule(&sidecar, &number.to_string(), json!({"dueTime": "0s"})).await;
        let path = format!("/v1.0/actors/cart/{number}/reminders/pay");
        let body = json!({"dueTime": "0s"}).to_string();
        let made = async || sidecar.post(&path, body.clone()).await.is_ok_and(|(status, _)| status == NO_CONTENT);
        until("the reminder is made", made).await;
    }
    until("all have come", async || told().all(|path| !app.bodies(path).is_empty())).await;
    scheduler.restart().await;
    let again = async || {
        told().for_each(|path| app.release(path));
        told().all(|path| app.bodies(path).len() > 1)
    };
    until("all have come again", again).await;
    let is_done = async || {
        told().for_each(|path| app.release(path));
        scheduler.stored().await == 0
    };
    until("all are done", is_done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_with_an_identity_serves_those_with_one() {
    let (app, sentry, names) = (App::start(&[]).await, Sentry::start().await, tempfile::tempdir().unwrap());
    let flags = vec![
        "--tls-enabled".to_owned(),
        format!("--sentry-address=127.0.0.1:{}", sentry.port),
        format!("--trust-anchors-file={}", sentry.roots().display()),
    ];
    let mut scheduler = Scheduler::with(flags).await;
    let setup = sentry.sidecar("caller", Some(app.port), names.path());
    let sidecar = setup.flag("--scheduler-host-address", &scheduler.address()).start().await;
    schedule(&sidecar, "often", json!({"schedule": "@every 100ms", "data": "tick"})).await;
    until("it has come twice", async || app.bodies("/job/often").len() >= 2).await;
    assert!(scheduler.client().schedule_job(job("plain", "0s")).await.is_err(), "nobody comes in without an identity");
    // Certificates live for a second: connections are made with new ones all the time.
    let signed = sentry.signed().await;
    until("certificates were renewed", async || sentry.signed().await >= signed + 4).await;
    let before = app.bodies("/job/often").len();
    until("it comes still", async || app.bodies("/job/often").len() > before).await;
    scheduler.restart().await;
    let before = app.bodies("/job/often").len();
    until("it comes again", async || app.bodies("/job/often").len() > before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reminders_reach_their_actors() {
    let config = json!({"entities": ["cart"]}).to_string();
    let (app, scheduler) = (App::start(&[("/dapr/config", StatusCode::OK, &config)]).await, Scheduler::start().await);
    let placement = Placement::start();
    let address = format!("127.0.0.1:{}", placement.1);
    let sidecar = sidecar(&app, &scheduler, &[("--placement-host-address", address)]).await;
    let path = "/v1.0/actors/cart/7/reminders/pay";
    let reminder = json!({"dueTime": "0s", "period": "100ms", "data": {"sum": 3}}).to_string();
    let made = async || sidecar.post(path, reminder.clone()).await.is_ok_and(|(status, _)| status == NO_CONTENT);
    until("the type is hosted and the reminder made", made).await;
    let told = "/actors/cart/7/method/remind/pay";
    until("the actor was told twice", async || app.bodies(told).len() >= 2).await;
    let body: Value = serde_json::from_slice(&app.bodies(told)[0]).unwrap();
    assert_eq!(body["data"], json!({"sum": 3}));
    let kept: Value = serde_json::from_slice(&sidecar.get(path).await.unwrap().1).unwrap();
    assert_eq!((&kept["period"], &kept["data"]), (&json!("@every 100ms"), &json!({"sum": 3})));
    assert_eq!(delete(&sidecar, path).await.unwrap().0, NO_CONTENT);
    assert_eq!(sidecar.get(path).await.unwrap().0, StatusCode::NOT_FOUND);
}
