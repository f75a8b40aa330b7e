//! How a sidecar ends.
use crate::app::App;
use crate::client::over_tcp;
use crate::sidecar::{Setup, binary};
use crate::wait::until;
use bytes::Bytes;
use http::{Method, StatusCode};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn signals_end_it_well() {
    for signal in ["-INT", "-TERM"] {
        let mut sidecar = Setup::new("ending", None).start().await;
        sidecar.signal(signal);
        assert_eq!(sidecar.ended().await.code(), Some(0), "{signal}");
    }
}

/// Their identity, or what it is to be trusted by, may be long in coming.
#[tokio::test(flavor = "multi_thread")]
async fn signals_end_a_service_that_waits() {
    for service in ["placement", "scheduler"] {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new(binary());
        command.arg(service).args(["--tls-enabled", "--sentry-address=localhost:1", "--trust-anchors-file=none"]);
        command.args(["--port=0", "--healthz-port=0", "--metrics-port=0", "--log-file"]).arg(&log);
        let mut child = command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("it waits", async || std::fs::read_to_string(&log).unwrap_or_default().contains("waiting")).await;
        Command::new("kill").arg(child.id().to_string()).status().unwrap();
        until("it has ended", async || child.try_wait().unwrap().is_some()).await;
        assert!(child.wait().unwrap().success(), "{service}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hangup_starts_it_again_on_the_same_ports() {
    let mut sidecar = Setup::new("again", None).component("store", "state.in-memory", &[]).start().await;
    sidecar.post("/v1.0/state/store", r#"[{"key": "a", "value": 1}]"#).await.unwrap();
    sidecar.signal("-HUP");
    until("a fresh store answers", async || {
        sidecar.get("/v1.0/state/store/a").await.is_ok_and(|(status, _)| status == StatusCode::NO_CONTENT)
    })
    .await;
    sidecar.signal("-TERM");
    assert_eq!(sidecar.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signal_to_end_during_a_reload_ends_it_well() {
    let app = App::start(&[("/slow", StatusCode::OK, "done")]).await;
    app.hold("/slow");
    let log = tempfile::NamedTempFile::new().unwrap();
    let setup = Setup::new("reloading", Some(app.port)).flag("--log-file", &log.path().display().to_string());
    let mut sidecar = setup.start().await;
    let port = sidecar.port;
    let call = over_tcp(port, Method::GET, "/v1.0/invoke/reloading/method/slow", Bytes::new());
    let closed = async || TcpStream::connect(("127.0.0.1", port)).await.is_err();
    let end = async {
        until("the app has the call", async || !app.bodies("/slow").is_empty()).await;
        sidecar.signal("-HUP");
        until("the sidecar takes no new connections", closed).await;
        sidecar.signal("-TERM");
        until("the sidecar has the signal", async || {
            std::fs::read_to_string(log.path()).unwrap().contains("Received signal 'terminated'")
        })
        .await;
        app.release("/slow");
    };
    let (answer, ()) = tokio::join!(call, end);
    assert_eq!(answer.unwrap(), (StatusCode::OK, "done".into()));
    assert_eq!(sidecar.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_and_bad_flags_are_errors() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let flag = |name, value: &str| Setup::new("wrong", None).flag(name, value).spawn();
    assert_eq!(flag("--dapr-http-port", &port).ended().await.code(), Some(1));
    assert_eq!(flag("--mode", "sideways").ended().await.code(), Some(1));
    assert_eq!(flag("--no-such-flag", "1").ended().await.code(), Some(2));
}

/// The connection preface of HTTP/2 with empty settings: what follows from the server has no answer.
const SILENT: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_say_nothing_do_not_hold_up_the_end() {
    let mut sidecar = Setup::new("silence", None).start().await;
    let mut silent = Vec::new();
    for (port, begin) in [
        (sidecar.port, &b"GET /v1.0/metadata HTTP/1.1\r\nHo"[..]),
        (sidecar.port, SILENT),
        (sidecar.grpc_port, SILENT),
        (sidecar.grpc_port, b""),
    ] {
        let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        connection.write_all(begin).await.unwrap();
        silent.push(connection);
    }
    sidecar.get("/v1.0/metadata").await.unwrap();
    sidecar.signal("-TERM");
    assert_eq!(sidecar.ended().await.code(), Some(0), "the grace was not needed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_flight_is_answered_before_the_end() {
    let app = App::start(&[("/slow", StatusCode::OK, "done")]).await;
    app.hold("/slow");
    let sidecar = Setup::new("flight", Some(app.port)).start().await;
    let call = sidecar.get("/v1.0/invoke/flight/method/slow");
    let end = async {
        until("the app has the call", async || !app.bodies("/slow").is_empty()).await;
        sidecar.signal("-TERM");
        until("the sidecar takes no new connections", async || {
            TcpStream::connect(("127.0.0.1", sidecar.port)).await.is_err()
        })
        .await;
        app.release("/slow");
    };
    let (answer, ()) = tokio::join!(call, end);
    assert_eq!(answer.unwrap(), (StatusCode::OK, "done".into()));
}
