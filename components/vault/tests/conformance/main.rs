//! The common suite, and what is special here, against a fake of Vault's API.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod real;
mod tls;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use component_api::secret::Store;
use component_api::{Kind, Metadata as Pairs, Properties};
use component_vault::{Metadata, VaultStore};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Versions of secrets by their paths in the engine `secret`.
type Secrets = BTreeMap<&'static str, Vec<Value>>;

#[tokio::test]
async fn secrets() {
    let at = vault().await;
    let store = open(at, &[("vaultToken", "token")]);
    let subject = conformance::secret::Subject { store: &store, single: ("one", "1"), missing: Some("nothing") };
    conformance::secret::run(&subject).await;
    let all = store.bulk_get(&Pairs::new()).await.unwrap();
    let names: Vec<_> = all.keys().map(String::as_str).collect();
    assert_eq!(names, ["folder/deep/er", "folder/in side", "one", "two"]);
    assert_eq!(all["two"].len(), 2, "a secret may have several values");
    assert_eq!(store.get("folder/in side", &Pairs::new()).await.unwrap()["a"], "3");
    store.ping().await.unwrap();
}

#[tokio::test]
async fn versions() {
    let store = open(vault().await, &[("vaultToken", "token")]);
    let version = |number: &str| Pairs::from([("version_id".to_owned(), number.to_owned())]);
    assert_eq!(store.get("two", &version("1")).await.unwrap()["a"], "old");
    assert_eq!(store.get("two", &version("0")).await.unwrap()["a"], "new");
    assert_eq!(store.get("two", &version("9")).await.unwrap_err().kind(), Kind::NotFound);
    let old: Vec<_> = store.bulk_get(&version("2")).await.unwrap().into_keys().collect();
    assert_eq!(old, ["two"], "what has no such version is left out");
}

#[tokio::test]
async fn other_folders_and_forms() {
    let at = vault().await;
    let whole = open(at, &[("vaultToken", "token"), ("vaultKVUsePrefix", "false")]);
    assert_eq!(whole.get("other/three", &Pairs::new()).await.unwrap()["x"], "y");
    let other = open(at, &[("vaultToken", "token"), ("vaultKVPrefix", "other")]);
    assert_eq!(other.get("three", &Pairs::new()).await.unwrap()["x"], "y");
    let error = other.get("number", &Pairs::new()).await.unwrap_err().to_string();
    assert!(error.contains("vaultValueType") && !error.contains("4711"), "{error}");
    let pairs = [("vaultToken", "token"), ("vaultKVPrefix", "other"), ("vaultValueType", "text")];
    let text = open(at, &pairs);
    assert_eq!(text.get("number", &Pairs::new()).await.unwrap()["number"], r#"{"n":4711}"#);
    assert!(!text.features().multiple_values);
    let empty = open(at, &[("vaultToken", "token"), ("vaultKVPrefix", "empty")]);
    assert!(empty.bulk_get(&Pairs::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_token_in_a_file_may_change() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let store = open(vault().await, &[("vaultTokenMountPath", &path)]);
    assert_eq!(store.get("one", &Pairs::new()).await.unwrap_err().kind(), Kind::Denied);
    std::fs::write(&path, "token\n").unwrap();
    assert!(store.get("one", &Pairs::new()).await.is_ok());
}

/// Errors say what is wrong, and neither they nor debug output tell the token.
#[tokio::test]
async fn refusals() {
    let denied = open(vault().await, &[("vaultToken", "very-secret")]);
    let error = denied.get("one", &Pairs::new()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    assert!(error.to_string().contains("permission denied"), "{error}");
    assert!(!format!("{error} {error:?} {denied:?}").contains("very-secret"));
    let nowhere = SocketAddr::from(([127, 0, 0, 1], conformance::server::free_port()));
    let error = open(nowhere, &[("vaultToken", "t")]).ping().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    for wrong in [("vaultAddr", "nowhere"), ("caPem", "x"), ("caCert", "/nowhere"), ("caPath", "/nowhere")] {
        let properties = [("vaultToken", "t"), wrong].into_iter().collect::<Properties>();
        assert!(VaultStore::new(&Metadata::read(&properties).unwrap()).is_err(), "{wrong:?}");
    }
}

fn open(at: SocketAddr, pairs: &[(&str, &str)]) -> VaultStore {
    open_at(&format!("http://{at}/"), pairs)
}

fn open_at(address: &str, pairs: &[(&str, &str)]) -> VaultStore {
    let token =
        [("vaultToken", "token")].into_iter().filter(|_| !pairs.iter().any(|(name, _)| name.starts_with("vaultToken")));
    let pairs = pairs.iter().copied().chain(token).chain([("vaultAddr", address)]).collect::<Properties>();
    VaultStore::new(&Metadata::read(&pairs).unwrap()).unwrap()
}

async fn vault() -> SocketAddr {
    let secrets = Secrets::from([
        ("dapr/one", vec![json!({"one": "1"})]),
        ("dapr/two", vec![json!({"a": "old"}), json!({"a": "new", "b": "2"})]),
        ("dapr/folder/in side", vec![json!({"a": "3"})]),
        ("dapr/folder/deep/er", vec![json!({"a": "4"})]),
        ("other/three", vec![json!({"x": "y"})]),
        ("other/number", vec![json!({"n": 4711})]),
    ]);
    let app = Router::new().fallback(answer).with_state(Arc::new(secrets));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    #[allow(clippy::disallowed_methods)] // It ends with the test.
    tokio::spawn(async move { axum::serve(listener, app).await });
    at
}

async fn answer(State(secrets): State<Arc<Secrets>>, request: Request) -> Response {
    let path = request.uri().path().replace("%20", " ");
    if path == "/v1/sys/health" {
        return Json(json!({"sealed": false})).into_response();
    }
    if request.headers().get("X-Vault-Token").is_none_or(|token| token != "token") {
        return (StatusCode::FORBIDDEN, Json(json!({"errors": ["permission denied"]}))).into_response();
    }
    let query = request.uri().query().unwrap_or_default();
    let found = match (request.method().as_str(), path.strip_prefix("/v1/secret/")) {
        ("GET", Some(path)) => path.strip_prefix("data/").and_then(|path| version(&secrets, path, query)),
        ("LIST", Some(path)) => path.strip_prefix("metadata/").and_then(|folder| keys(&secrets, folder)),
        _ => None,
    };
    match found {
        Some(found) => Json(json!({"data": found})).into_response(),
        None => (StatusCode::NOT_FOUND, Json(json!({"errors": []}))).into_response(),
    }
}

fn version(secrets: &Secrets, path: &str, query: &str) -> Option<Value> {
    let versions = secrets.get(path)?;
    let number: usize = query.strip_prefix("version=")?.parse().ok()?;
    let number = if number == 0 { versions.len() } else { number };
    Some(json!({"data": versions.get(number - 1)?, "metadata": {"version": number}}))
}

fn keys(secrets: &Secrets, folder: &str) -> Option<Value> {
    let below = secrets.keys().filter_map(|path| path.strip_prefix(folder));
    let keys: BTreeSet<_> =
        below.map(|rest| rest.split_once('/').map_or(rest.to_owned(), |(first, _)| format!("{first}/"))).collect();
    (!keys.is_empty()).then(|| json!({"keys": keys}))
}
