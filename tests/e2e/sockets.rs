//! The API over Unix sockets.
use crate::client::over_socket;
use crate::sidecar::Setup;
use crate::wait::until;
use http::{Method, StatusCode};

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_served_on_a_socket_in_place_of_a_port() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new("socketed", None).component("store", "state.in-memory", &[]);
    let _sidecar = setup.flag("--unix-domain-socket", &folder.path().display().to_string()).spawn();
    let socket = folder.path().join("dapr-socketed-http.socket");
    let call = async |method, path, body: &'static str| over_socket(&socket, method, path, body).await;
    until("the sidecar is ready", async || {
        call(Method::GET, "/v1.0/healthz", "").await.is_ok_and(|(status, _)| status == StatusCode::NO_CONTENT)
    })
    .await;
    let saved = call(Method::POST, "/v1.0/state/store", r#"[{"key": "a", "value": 1}]"#).await.unwrap();
    assert_eq!(saved.0, StatusCode::NO_CONTENT);
    let got = call(Method::GET, "/v1.0/state/store/a", "").await.unwrap();
    assert_eq!(got, (StatusCode::OK, "1".into()));
    assert!(folder.path().join("dapr-socketed-grpc.socket").exists());
}
