//! A certificate authority whose certificates live for a second, and sidecars that have theirs from it.
use crate::app::App;
use crate::authority::{Sentry, Wish, in_folder};
use crate::sidecar::{Setup, Sidecar};
use crate::wait::until;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::StatusCode;
use std::path::Path;
use std::time::Duration;
use tokio::time::interval;

async fn call(caller: &Sidecar, method: &str) -> StatusCode {
    call_app(caller, "callee", method).await
}

async fn call_app(caller: &Sidecar, callee: &str, method: &str) -> StatusCode {
    let answer = caller.post(&format!("/v1.0/invoke/{callee}/method/{method}"), "{}").await;
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
    assert!(caller.counted("runtime_mtls_workload_cert_rotated_total{").await > 0);
    drop(sentry);
    let failed = r#"runtime_mtls_workload_cert_rotated_fail_total{app_id="caller",reason="sentry_conn"}"#;
    until("it is counted that there is no sentry", async || caller.counted(failed).await > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_with_an_identity_and_a_right_to_it_reach_the_app() {
    let names = tempfile::tempdir().unwrap();
    let app = App::start(&[]).await;
    let (sentry, other) = (Sentry::start().await, Sentry::start().await);
    let _callee = sentry.sidecar("callee", Some(app.port), names.path()).start().await;
    let caller = sentry.sidecar("caller", None, names.path()).start().await;
    until("the callee is found", async || call(&caller, "hello").await == StatusCode::OK).await;
    for path in [
        "secret/plans",
        "hello/../secret/plans",
        "hello%2F..%2Fsecret/plans",
        "SECRET/plans",
        "%73ecret/plans",
        "secret%2Fplans",
        // What is left of an escape after the first sidecar is one for the app.
        "%2573ecret/plans",
        "secret%252Fplans",
        "hello/%252e%252e/secret/plans",
    ] {
        assert_eq!(call(&caller, path).await, StatusCode::FORBIDDEN, "{path}");
    }
    let nobody = sentry.sidecar("nobody", None, names.path()).start().await;
    assert_eq!(call(&nobody, "hello").await, StatusCode::FORBIDDEN);
    let plain = in_folder(Setup::new("caller", None), names.path()).start().await;
    let foreign = other.sidecar("caller", None, names.path()).start().await;
    for (stranger, check) in [(&plain, "check that both sidecars have mTLS on"), (&foreign, "check the trust anchors")]
    {
        let (status, told) = stranger.post("/v1.0/invoke/callee/method/hello", "{}").await.unwrap();
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(told.contains(check), "{told}");
    }
    assert_eq!(call(&caller, "hello").await, StatusCode::OK);
    assert!(app.bodies("/secret/plans").is_empty());
}

/// A root of twelve seconds gets a successor every eight. A hundred requests begin each second, whatever has become of those before;
/// sidecars come and go. Five hundred a second, with a root of six seconds, are a check of the measurements (`bench`).
#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_while_roots_give_way_to_the_next() {
    const ROTATIONS: u64 = 3;
    let names = tempfile::tempdir().unwrap();
    let app = App::start(&[]).await;
    let sentry = Wish { flags: vec!["--root-ttl=12s".to_owned()], ..Wish::default() }.start().await;
    let first = std::fs::read_to_string(sentry.roots()).unwrap();
    let _callee = sentry.following_sidecar("callee", Some(app.port), names.path()).start().await;
    let caller = sentry.sidecar("caller", None, names.path()).start().await;
    until("the callee is found", async || call(&caller, "hello").await == StatusCode::OK).await;
    let (mut pace, mut running, mut calls) = (interval(Duration::from_millis(10)), FuturesUnordered::new(), 0);
    while sentry.counted(r#"rootcert_rotation_total{step="dropped"}"#).await < ROTATIONS {
        let next = calls + 20;
        while calls < next || !running.is_empty() {
            tokio::select! {
                biased;
                _ = pace.tick(), if calls < next => {
                    running.push(caller.call("callee", "hello"));
                    calls += 1;
                }
                Some(called) = running.next() => assert_eq!(called, Ok(()), "of the first {calls} calls"),
            }
        }
    }
    assert!(!std::fs::read_to_string(sentry.roots()).unwrap().contains(&first));
    assert!(sentry.counted("rootcert_expiry_timestamp").await > 0);
    // These connections are new ones: the caller was started with a root that is long gone, and the others never saw it.
    let _later = sentry.following_sidecar("later", Some(app.port), names.path()).start().await;
    until("the later app is found", async || call_app(&caller, "later", "hello").await == StatusCode::OK).await;
    let late = sentry.sidecar("caller", None, names.path()).start().await;
    until("the late caller has found the callee", async || call(&late, "hello").await == StatusCode::OK).await;
    forgotten(&first, &sentry, names.path()).await;
}

/// Who knows nothing but a root that is gone gets no identity.
async fn forgotten(root: &str, sentry: &Sentry, names: &Path) {
    let mut setup = sentry.sidecar("caller", None, names);
    for (name, value) in &mut setup.environment {
        if name == "DAPR_TRUST_ANCHORS" {
            *value = root.to_owned();
        }
    }
    assert!(!setup.spawn().ended().await.success());
}
