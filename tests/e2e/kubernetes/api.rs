//! A server of Kubernetes' API over HTTPS: reviews of tokens, some pods, namespaces that go, and objects that can be read and replaced.
use crate::authority::{Sentry, Wish};
use crate::sidecar::binary;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use foundation_identity::{Acceptor, Secured};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;

/// What sentry shows to the API.
pub(super) const BEARER: &str = "the-right-of-sentry";
const CONFIGURATION: &str = "/apis/dapr.io/v1alpha1/namespaces/dapr-system/configurations/daprsystem";
pub(super) const SECRET: &str = "/api/v1/namespaces/dapr-system/secrets/dapr-trust-bundle";
pub(super) const CONFIG_MAP: &str = "/api/v1/namespaces/dapr-system/configmaps/dapr-trust-bundle";

/// A running API server; it ends when dropped.
pub(super) struct ApiServer {
    port: u16,
    folder: TempDir,
    world: Arc<Mutex<World>>,
    server: JoinHandle<()>,
}

/// What the server knows and has seen.
#[derive(Default)]
pub(super) struct World {
    /// By path.
    pub(super) objects: BTreeMap<String, Value>,
    /// Paths that may not be written.
    pub(super) read_only: Vec<String>,
    /// What another sentry writes just before somebody else writes that path.
    pub(super) quicker: BTreeMap<String, Value>,
    pub(super) writes: usize,
    reviews: Vec<Value>,
    is_over: bool,
    namespaces: BTreeSet<String>,
    /// Those who watch namespaces, and what they get next instead: the news that they have missed some.
    watchers: Vec<UnboundedSender<String>>,
    is_forgotten: bool,
}

type Shared = State<Arc<Mutex<World>>>;

struct TlsListener {
    listener: TcpListener,
    acceptor: Acceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = Secured<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(secured) = self.acceptor.accept(stream).await {
                return (secured, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl ApiServer {
    /// With an empty secret and an empty config map, as Dapr's chart makes them.
    #[allow(clippy::disallowed_methods)] // The handle ends the task.
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(["kubernetes.test".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
        std::fs::write(folder.path().join("ca.crt"), &certificate).unwrap();
        let acceptor = Acceptor::of_host(certificate.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let world = Arc::new(Mutex::new(World::default()));
        let router = Router::new()
            .route("/apis/authentication.k8s.io/v1/tokenreviews", post(review))
            .route("/api/v1/pods", get(pods))
            .route("/api/v1/namespaces", get(namespaces))
            .route("/apis/dapr.io/v1alpha1/configurations", get(configurations))
            .fallback(object)
            .with_state(Arc::clone(&world));
        let listener = TlsListener { listener, acceptor };
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let api = Self { port, folder, world, server };
        api.put(SECRET, json!({"kind": "Secret", "metadata": {"name": "dapr-trust-bundle", "labels": {"app": "x"}}}));
        api.put(CONFIG_MAP, json!({"kind": "ConfigMap", "metadata": {"name": "dapr-trust-bundle"}}));
        api.put(CONFIGURATION, json!({"spec": {"mtls": {"enabled": true, "workloadCertTTL": "2h"}}}));
        api
    }

    /// What the server knows and has seen.
    pub(super) fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(super) fn put(&self, path: &str, object: Value) {
        self.world().put(path, object);
    }

    /// What is under a key of an object.
    pub(super) fn entry(&self, path: &str, key: &str) -> Option<String> {
        self.world().objects[path]["data"][key].as_str().map(str::to_owned)
    }

    /// Requests for reviews of tokens.
    pub(super) fn reviews(&self) -> Vec<Value> {
        self.world().reviews.clone()
    }

    pub(super) fn make_namespaces(&self, names: &[&str]) {
        self.world().namespaces.extend(names.iter().map(|name| (*name).to_owned()));
    }

    /// Deletes a namespace, and tells those who watch.
    pub(super) fn delete_namespace(&self, name: &str) {
        let mut world = self.world();
        world.namespaces.remove(name);
        let object = json!({"metadata": {"name": name, "resourceVersion": "2"}});
        let change = format!("{}\n", json!({"type": "DELETED", "object": object}));
        world.watchers.retain(|watcher| watcher.send(change.clone()).is_ok());
    }

    /// Deletes a namespace while nobody watches, and has forgotten that when somebody does again.
    pub(super) fn delete_namespace_unseen(&self, name: &str) {
        let mut world = self.world();
        world.namespaces.remove(name);
        world.watchers.clear();
        world.is_forgotten = true;
    }

    pub(super) fn is_watched(&self) -> bool {
        self.world().watchers.iter().any(|watcher| !watcher.is_closed())
    }

    /// A kubeconfig with a token, and the file of the roots.
    pub(super) fn kubeconfig(&self, token: &str, roots: &Path) -> String {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "one", "user": "sentry"}}],
            "clusters": [{"name": "one", "cluster": {
                "server": format!("https://127.0.0.1:{}", self.port),
                "certificate-authority": roots,
                "tls-server-name": "kubernetes.test",
            }}],
            "users": [{"name": "sentry", "user": {"token": token}}],
        });
        let path = self.folder.path().join(format!("kubeconfig-{token}"));
        std::fs::write(&path, config.to_string()).unwrap();
        path.display().to_string()
    }

    fn flags(&self, token: &str, roots: &Path) -> Vec<String> {
        let kubeconfig = self.kubeconfig(token, roots);
        let flags = ["--mode=kubernetes", "--trust-domain=cluster.test", "--config=", "--kubeconfig", &kubeconfig];
        flags.map(str::to_owned).to_vec()
    }

    pub(super) async fn sentry(&self, more: &[&str]) -> Sentry {
        let mut flags = self.flags(BEARER, &self.roots());
        flags.extend(more.iter().map(|flag| (*flag).to_owned()));
        let environment = vec![("NAMESPACE".to_owned(), "dapr-system".to_owned())];
        Wish { mtls: json!({}), flags, environment }.start().await
    }

    /// What sentry says when it cannot start; `roots` are those that it trusts the server by.
    pub(super) async fn complaint(&self, token: &str, roots: &Path) -> String {
        let mut command = Command::new(binary());
        command.arg("sentry").args(["--listen-address=127.0.0.1", "--port=0", "--healthz-port=0", "--metrics-port=0"]);
        command.args(self.flags(token, roots)).env("NAMESPACE", "dapr-system");
        let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert!(!ended.status.success());
        [ended.stdout, ended.stderr].map(|text| String::from_utf8(text).unwrap()).concat()
    }

    /// Reviews no more tokens.
    pub(super) fn refuse_reviews(&self) {
        self.world().is_over = true;
    }

    pub(super) fn roots(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl World {
    fn put(&mut self, path: &str, mut object: Value) {
        let last = self.objects.get(path).and_then(|last| last["metadata"]["resourceVersion"].as_str());
        let version = last.and_then(|last| last.parse().ok()).unwrap_or(0_u64) + 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        self.objects.insert(path.to_owned(), object);
    }

    /// As Kubernetes does: only what has not changed since it was read is replaced.
    fn replace(&mut self, path: &str, object: Value) -> StatusCode {
        if self.read_only.iter().any(|one| one == path) {
            return StatusCode::FORBIDDEN;
        }
        if let Some(other) = self.quicker.remove(path) {
            self.put(path, other);
        }
        let Some(now) = self.objects.get(path) else { return StatusCode::NOT_FOUND };
        if now["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] {
            return StatusCode::CONFLICT;
        }
        self.writes += 1;
        self.put(path, object);
        StatusCode::OK
    }
}

fn is_allowed(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value == format!("Bearer {BEARER}").as_str())
}

async fn object(
    State(world): Shared,
    method: Method,
    headers: HeaderMap,
    uri: Uri,
    body: String,
) -> (StatusCode, Json<Value>) {
    if !is_allowed(&headers) {
        return (StatusCode::FORBIDDEN, Json(json!({})));
    }
    let mut world = world.lock().unwrap();
    if method == Method::PUT {
        return (world.replace(uri.path(), serde_json::from_str(&body).unwrap()), Json(json!({})));
    }
    match world.objects.get(uri.path()) {
        Some(object) => (StatusCode::OK, Json(object.clone())),
        None => (StatusCode::NOT_FOUND, Json(json!({"kind": "Status", "code": 404}))),
    }
}

/// The account of a token is its third part, `<namespace>/<account>`.
async fn review(State(world): Shared, headers: HeaderMap, Json(asked): Json<Value>) -> (StatusCode, Json<Value>) {
    if !is_allowed(&headers) || world.lock().unwrap().is_over {
        return (StatusCode::UNAUTHORIZED, Json(json!({})));
    }
    let token = asked["spec"]["token"].as_str().unwrap().to_owned();
    world.lock().unwrap().reviews.push(asked);
    let status = match token.rsplit_once('.').map_or("", |(_, account)| account) {
        "" => json!({"authenticated": false}),
        "error" => json!({"authenticated": false, "error": "the token has ended"}),
        "user" => json!({"authenticated": true, "user": {"username": "kubernetes-admin"}}),
        "elsewhere" => json!({"authenticated": true, "audiences": ["vault"],
            "user": {"username": "system:serviceaccount:shop:web"}}),
        account => {
            let username = format!("system:serviceaccount:{}", account.replace('/', ":"));
            json!({"authenticated": true, "user": {"username": username}})
        }
    };
    (StatusCode::CREATED, Json(json!({"status": status})))
}

async fn pods(headers: HeaderMap, uri: Uri) -> (StatusCode, Json<Value>) {
    if !is_allowed(&headers) {
        return (StatusCode::FORBIDDEN, Json(json!({})));
    }
    assert!(uri.query().unwrap().contains("fieldSelector=metadata.name"));
    let pod = |namespace: &str, name: &str, account: &str, annotations: Value| {
        json!({
            "metadata": {"namespace": namespace, "name": name, "annotations": annotations},
            "spec": {"serviceAccountName": account}
        })
    };
    let items = json!([
        pod("shop", "web-0", "web", json!({"dapr.io/app-id": "web", "dapr.io/config": "strict"})),
        pod("shop", "plain-0", "plain", json!({"dapr.io/app-id": "plain"})),
        pod("shop", "bare-0", "bare", json!({})),
        pod("shop", "fake-0", "fake", json!({"dapr.io/control-plane": "operator"})),
        pod("dapr-system", "placement-0", "placement", json!({"dapr.io/control-plane": "placement"})),
        pod("dapr-system", "odd-0", "odd", json!({"dapr.io/control-plane": "kitchen"})),
    ]);
    (StatusCode::OK, Json(json!({"items": items})))
}

/// A list of one namespace a page, or a watch.
async fn namespaces(State(world): Shared, headers: HeaderMap, uri: Uri) -> Response {
    if !is_allowed(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let (mut world, query) = (world.lock().unwrap(), uri.query().unwrap_or_default());
    if query.contains("watch=true") {
        return watch(&mut world);
    }
    let page: usize = query.rsplit_once("continue=").and_then(|(_, page)| page.parse().ok()).unwrap_or_default();
    let items: Vec<_> =
        world.namespaces.iter().skip(page).take(1).map(|name| json!({"metadata": {"name": name}})).collect();
    let next = if page + 1 < world.namespaces.len() { (page + 1).to_string() } else { String::new() };
    Json(json!({"metadata": {"resourceVersion": "1", "continue": next}, "items": items})).into_response()
}

fn watch(world: &mut World) -> Response {
    let (watcher, changes) = unbounded_channel();
    if std::mem::take(&mut world.is_forgotten) {
        let error = json!({"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}});
        watcher.send(format!("{error}\n")).unwrap();
    } else {
        world.watchers.push(watcher);
    }
    let lines = UnboundedReceiverStream::new(changes).map(Ok::<_, Infallible>);
    Body::from_stream(lines).into_response()
}

async fn configurations() -> Json<Value> {
    let metadata = json!({"namespace": "shop", "name": "strict"});
    Json(json!({"items": [{"metadata": metadata, "spec": {"accessControl": {"trustDomain": "shop.test"}}}]}))
}
