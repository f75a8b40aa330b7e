//! One app calls another through two sidecars.
use crate::app::App;
use crate::sidecar::{Setup, Sidecar};
use crate::wait::until;
use http::StatusCode;
use uuid::Uuid;

async fn answers(caller: &Sidecar, callee: &str) -> bool {
    let answer = caller.post(&format!("/v1.0/invoke/{callee}/method/hello"), "{}").await;
    answer.is_ok_and(|answer| answer == (StatusCode::OK, "hello".into()))
}

#[tokio::test(flavor = "multi_thread")]
async fn sidecars_find_each_other_by_multicast() {
    let app = App::start(&[("/hello", StatusCode::OK, "hello")]).await;
    // Others may use multicast at the same time.
    let callee = format!("callee-{}", Uuid::new_v4());
    let _callee = Setup::new(&callee, Some(app.port)).start().await;
    let caller = Setup::new("caller", None).start().await;
    until("the other app answers", async || answers(&caller, &callee).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sidecars_find_each_other_by_a_file_and_again_after_a_move() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(&[("/hello", StatusCode::OK, "hello")]).await;
    let configuration = serde_json::json!({
        "apiVersion": "dapr.io/v1alpha1", "kind": "Configuration", "metadata": {"name": "names"},
        "spec": {"nameResolution": {"component": "sqlite", "version": "v1", "configuration": {
            "connectionString": folder.path().join("names.db"), "updateInterval": "2s", "timeout": "1s"
        }}}
    });
    let with_names = |setup: Setup| Setup { configuration: Some(configuration.to_string()), ..setup };
    let callee = with_names(Setup::new("callee", Some(app.port))).start().await;
    let caller = with_names(Setup::new("caller", None)).start().await;
    until("the other app answers", async || answers(&caller, "callee").await).await;
    drop(callee);
    let _elsewhere = with_names(Setup::new("callee", Some(app.port))).start().await;
    until("the other app answers from elsewhere", async || answers(&caller, "callee").await).await;
}
