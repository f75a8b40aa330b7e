//! What guards the API of a sidecar: its token, lists of APIs, scopes. Whoever may not pass does not, however a request is written.
use crate::app::App;
use crate::sidecar::{Setup, Sidecar};
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Endpoint;
use tonic::{Code, Request};
use wire::runtime::v1::dapr_client::DaprClient;
use wire::runtime::v1::{GetBulkSecretRequest, GetMetadataRequest, GetSecretRequest};

const PATIENCE: Duration = Duration::from_secs(30);
const TOKEN: &str = "dapr-api-token";

/// Sends a request as it is written, and returns the whole answer.
async fn raw(port: u16, request: &str, headers: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let text = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    connection.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, connection.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn status(sidecar: &Sidecar, request: &str, headers: &str) -> u16 {
    let answer = raw(sidecar.port, request, headers).await;
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_passes_without_the_token() {
    let app = App::start(&[]).await;
    let mut setup = Setup::new("guarded", Some(app.port));
    setup.environment.push(("DAPR_API_TOKEN".to_owned(), "right".to_owned()));
    let sidecar = setup.start().await;
    for headers in [
        "",
        "dapr-api-token: wrong\r\n",
        "dapr-api-token:\r\n",
        "dapr-api-token: righ\r\n",
        "dapr-api-token: rightt\r\n",
        "dapr-api-token: Right\r\n",
        "dapr-api-token: wrong\r\ndapr-api-token: right\r\n",
        "dapr_api_token: right\r\n",
        "authorization: Bearer right\r\n",
    ] {
        for path in [
            "GET /v1.0/metadata",
            "GET //v1.0//metadata",
            "GET /v1.0/healthz/../metadata",
            "GET /v1.0/metadata?dapr-api-token=right",
            "GET http://x/v1.0/metadata",
            "POST /v1.0/healthz",
            "HEAD /v1.0/healthz",
            "POST /v1.0/shutdown",
            "GET /v1.0/invoke/guarded/method/x",
            "GET /anything",
        ] {
            assert_eq!(status(&sidecar, path, headers).await, 401, "{path} {headers}");
        }
    }
    // Health is for everybody, and leads nowhere else.
    assert_eq!(status(&sidecar, "GET /v1.0/healthz", "dapr-app-id: guarded\r\n").await, 204);
    assert!(app.bodies("/v1.0/healthz").is_empty() && app.bodies("/x").is_empty());
    for headers in ["dapr-api-token: right\r\n", "DAPR-API-TOKEN:right\r\n", "Dapr-Api-Token: \tright \r\n"] {
        assert_eq!(status(&sidecar, "GET /v1.0/metadata", headers).await, 200, "{headers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_passes_without_the_token_over_grpc() {
    let mut setup = Setup::new("guarded", None);
    setup.environment.push(("DAPR_API_TOKEN".to_owned(), "right".to_owned()));
    let sidecar = setup.spawn();
    let mut client = client(&sidecar).await;
    let cases: [(&[&'static str], Code); 7] = [
        (&[], Code::Unauthenticated),
        (&["wrong"], Code::Unauthenticated),
        (&[""], Code::Unauthenticated),
        (&["RIGHT"], Code::Unauthenticated),
        (&["wrong", "right"], Code::Unauthenticated),
        (&["right, wrong"], Code::Unauthenticated),
        (&["right"], Code::Ok),
    ];
    for (tokens, expected) in cases {
        let mut request = Request::new(GetMetadataRequest {});
        for token in tokens {
            request.metadata_mut().append(TOKEN, AsciiMetadataValue::from_static(token));
        }
        let code = client.get_metadata(request).await.map_or_else(|status| status.code(), |_| Code::Ok);
        assert_eq!(code, expected, "{tokens:?}");
    }
}

/// Waits until the gRPC API answers at all.
async fn client(sidecar: &Sidecar) -> DaprClient<tonic::transport::Channel> {
    let address = format!("http://127.0.0.1:{}", sidecar.grpc_port);
    let endpoint = Endpoint::from_shared(address).unwrap();
    let mut channel = endpoint.connect().await;
    crate::wait::until("the gRPC API listens", async || {
        if channel.is_err() {
            channel = endpoint.connect().await;
        }
        channel.is_ok()
    })
    .await;
    DaprClient::new(channel.unwrap())
}

/// A sidecar with a store of two secrets.
async fn keeper(folder: &TempDir, spec: Value) -> Sidecar {
    let file = folder.path().join("secrets.json");
    std::fs::write(&file, json!({"open": "for all", "closed": "for none"}).to_string()).unwrap();
    let setup = Setup::new("keeper", None);
    let file = file.display().to_string();
    let mut setup = setup.component("store", "secretstores.local.file", &[("secretsFile", &file)]);
    let configuration = json!({
        "apiVersion": "dapr.io/v1alpha1", "kind": "Configuration", "metadata": {"name": "guards"}, "spec": spec
    });
    setup.configuration = Some(configuration.to_string());
    setup.start().await
}

const WAYS_TO_CLOSED: [&str; 9] = [
    "GET /v1.0/secrets/store/closed",
    "GET /v1.0/secrets/store/closed/",
    "GET //v1.0///secrets/store/closed",
    "GET /v1.0/secrets/store/clo%73ed",
    "GET /v1.0/secrets/%73tore/closed",
    "GET /v1.0/%73ecrets/store/closed",
    "GET /v1.0/secrets/store/open/../closed",
    "GET /v1.0/secrets/store/open%2f..%2fclosed",
    "GET /v1.0/secrets/store/bulk",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_out_of_scope_stays_closed() {
    let folder = tempfile::tempdir().unwrap();
    let scopes = json!([{"storeName": "store", "defaultAccess": "deny", "allowedSecrets": ["open"]}]);
    let sidecar = keeper(&folder, json!({"secrets": {"scopes": scopes}})).await;
    assert!(raw(sidecar.port, "GET /v1.0/secrets/store/open", "").await.contains("for all"));
    for request in WAYS_TO_CLOSED {
        assert!(!raw(sidecar.port, request, "").await.contains("for none"), "{request}");
    }
    assert_eq!(status(&sidecar, "GET /v1.0/secrets/store/closed", "").await, 403);
    let mut client = client(&sidecar).await;
    let request =
        |key: &str| GetSecretRequest { store_name: "store".to_owned(), key: key.to_owned(), ..Default::default() };
    assert!(client.get_secret(request("open")).await.is_ok());
    assert_eq!(client.get_secret(request("closed")).await.unwrap_err().code(), Code::PermissionDenied);
    let bulk = GetBulkSecretRequest { store_name: "store".to_owned(), ..Default::default() };
    let bulk = client.get_bulk_secret(bulk).await.unwrap().into_inner().data;
    assert_eq!(bulk.keys().collect::<Vec<_>>(), ["open"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_is_denied_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let denied = json!([
        {"name": "secrets", "version": "v1.0", "protocol": "http"}, {"name": "secrets", "version": "v1", "protocol": "grpc"}
    ]);
    let sidecar = keeper(&folder, json!({"api": {"denied": denied}})).await;
    for request in WAYS_TO_CLOSED.into_iter().chain(["GET /v1.0/secrets/store/open"]) {
        let answer = raw(sidecar.port, request, "").await;
        assert!(!answer.contains("for none") && !answer.contains("for all"), "{request}");
    }
    let mut client = client(&sidecar).await;
    let request = GetSecretRequest { store_name: "store".to_owned(), key: "open".to_owned(), ..Default::default() };
    assert_eq!(client.get_secret(request).await.unwrap_err().code(), Code::Unimplemented);
    assert_eq!(status(&sidecar, "GET /v1.0/metadata", "").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_of_others_is_not_there() {
    let mut setup = Setup::new("app", None);
    for (name, scope) in [("own", "app"), ("others", "App"), ("theirs", "app2")] {
        let component = json!({
            "apiVersion": "dapr.io/v1alpha1", "kind": "Component", "metadata": {"name": name},
            "spec": {"type": "state.in-memory", "version": "v1", "metadata": []}, "scopes": [scope]
        });
        setup.resources.push(component.to_string());
    }
    let sidecar = setup.start().await;
    assert_eq!(sidecar.listed("components").await, ["own"]);
    assert_eq!(status(&sidecar, "GET /v1.0/state/own/key", "").await, 204);
    for store in ["others", "theirs", "OWN"] {
        assert_eq!(status(&sidecar, &format!("GET /v1.0/state/{store}/key"), "").await, 400, "{store}");
    }
}
