//! Runs with mTLS and no setup, and the commands that look after the certificates.
use crate::app::App;
use crate::client::over_tcp;
use crate::dapr::{User, port, unique};
use crate::wait::until;
use http::{Method, StatusCode};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A configuration that asks for mTLS. Only the app `caller` may call.
fn configuration(user: &User, caller: &str) -> String {
    let path = user.path("config.yaml");
    let configuration = json!({
        "apiVersion": "dapr.io/v1alpha1", "kind": "Configuration", "metadata": {"name": "secure"},
        "spec": {
            "mtls": {"enabled": true, "workloadCertTTL": "1s"},
            "nameResolution": {"component": "sqlite", "version": "v1", "configuration": {
                "connectionString": user.path("names.db")
            }},
            "accessControl": {"defaultAction": "deny", "trustDomain": "public", "policies": [
                {"appId": caller, "namespace": "default", "trustDomain": "public", "defaultAction": "allow"}
            ]}
        }
    });
    fs::write(&path, configuration.to_string()).unwrap();
    path.display().to_string()
}

/// Processes of sentry that work on a folder.
fn sentries(folder: &Path) -> usize {
    let output = Command::new("ps").args(["-eo", "args"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let folder = folder.display().to_string();
    text.lines().filter(|line| line.starts_with("sentry ") && line.contains(&folder)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_with_mtls_need_no_setup_and_trust_each_other() {
    let (user, app) = (User::new(), App::start(&[]).await);
    let (callee, caller, nobody) = (unique("callee"), unique("caller"), unique("nobody"));
    let configuration = configuration(&user, &caller);
    let app_port = app.port.to_string();
    let _callee =
        user.run(&["run", "-a", &callee, "-p", &app_port, "-c", &configuration, "--", "sh", "-c", "exec sleep 600"]);
    let mut calling = user.run(&["run", "-a", &caller, "-c", &configuration]);
    let _nobody = user.run(&["run", "-a", &nobody, "-c", &configuration]);
    user.started(&callee).await;
    let (caller, nobody) = (user.started(&caller).await, user.started(&nobody).await);
    let call = async |from: &serde_json::Value| {
        let path = format!("/v1.0/invoke/{callee}/method/hello");
        over_tcp(port(from), Method::POST, &path, "{}").await.map(|(status, _)| status).ok()
    };
    until("the callee answers its caller", async || call(&caller).await == Some(StatusCode::OK)).await;
    until("it answers nobody else", async || call(&nobody).await == Some(StatusCode::FORBIDDEN)).await;

    let folder = user.path(".dapr/certs");
    assert_eq!(sentries(&folder), 3);
    let (well, told) = user.ask(&["mtls", "expiry"]);
    assert!(well && told.contains("Root certificate expires in 87"), "{told}");
    let (well, told) = user.ask(&["mtls", "renew-certificate", "--valid-until", "30"]);
    assert!(well && told.contains("trusted beside the present one"), "{told}");
    let (_, told) = user.ask(&["mtls", "expiry"]);
    assert!(told.contains("The next root"), "{told}");
    assert_eq!(call(&caller).await, Some(StatusCode::OK));

    calling.signal("-TERM");
    assert!(calling.ended().await.success());
    until("its sentry has ended with it", async || sentries(&folder) == 2).await;
    assert_eq!(call(&nobody).await, Some(StatusCode::FORBIDDEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_namespace_of_an_app_is_none_of_sentrys() {
    let (user, app_id) = (User::new(), unique("apart"));
    let configuration = configuration(&user, &app_id);
    let mut command = user.dapr(&["run", "-a", &app_id, "-c", &configuration]);
    let mut running = user.spawn(command.env("NAMESPACE", "apart"));
    running.prints(&format!("identity is spiffe://public/ns/apart/{app_id}")).await;
    user.started(&app_id).await;
    running.signal("-TERM");
    assert!(running.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_exported_and_their_expiry_is_told() {
    let user = User::new();
    let (well, told) = user.ask(&["mtls", "expiry"]);
    assert!(!well && told.contains("there are no credentials in"), "{told}");
    let (well, told) = user.ask(&["mtls", "renew-certificate"]);
    assert!(well && told.contains("there are new ones now"), "{told}");
    let out = user.path("out");
    let (well, told) = user.ask(&["mtls", "export", "-o", out.to_str().unwrap()]);
    assert!(well, "{told}");
    for name in ["ca.crt", "issuer.crt", "issuer.key"] {
        let (exported, own) = (out.join(name), user.path(".dapr/certs").join(name));
        assert_eq!(fs::read(exported).unwrap(), fs::read(own).unwrap());
    }
    let (well, told) = user.ask(&["mtls", "expiry", "--issuer-credentials", out.to_str().unwrap()]);
    assert!(well && told.contains("was not made by this sentry"), "{told}");
    let (well, told) = user.ask(&["mtls", "-k"]);
    assert!(!well && told.contains("Kubernetes"), "{told}");
    let (well, told) = user.ask(&["mtls"]);
    assert!(well && told.contains("disabled"), "{told}");
}
