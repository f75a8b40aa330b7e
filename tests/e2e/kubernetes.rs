//! Sentry asks Kubernetes who has a token. The API server here is one of HTTPS that knows two pods.
use crate::attacker::connect;
use crate::authority::{Sentry, Wish};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::{get, post};
use axum::{Json, Router};
use foundation_identity::{Acceptor, Secured, id_of};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tonic::{Code, Status};
use wire::sentry::v1::SignCertificateRequest;
use wire::sentry::v1::ca_client::CaClient;
use wire::sentry::v1::sign_certificate_request::TokenValidator;

const BEARER: &str = "the-right-of-sentry";

/// A running API server; it ends when dropped.
struct ApiServer {
    port: u16,
    folder: TempDir,
    reviews: Arc<Mutex<Vec<Value>>>,
    server: JoinHandle<()>,
}

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
    #[allow(clippy::disallowed_methods)] // The handle ends the task.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(["kubernetes.test".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
        std::fs::write(folder.path().join("ca.crt"), &certificate).unwrap();
        let acceptor = Acceptor::of_host(certificate.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let reviews = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new()
            .route("/apis/authentication.k8s.io/v1/tokenreviews", post(review))
            .route("/api/v1/pods", get(pods))
            .route("/apis/dapr.io/v1alpha1/configurations", get(configurations))
            .with_state(Arc::clone(&reviews));
        let listener = TlsListener { listener, acceptor };
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, folder, reviews, server }
    }

    /// A kubeconfig with a token, and the file of the roots.
    fn kubeconfig(&self, token: &str, roots: &Path) -> String {
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

    async fn sentry(&self, token: &str, roots: &Path) -> Sentry {
        let kubeconfig = self.kubeconfig(token, roots);
        let flags = ["--mode=kubernetes", "--trust-domain=cluster.test", "--kubeconfig", &kubeconfig];
        let environment = vec![("NAMESPACE".to_owned(), "dapr-system".to_owned())];
        let flags = flags.map(str::to_owned).to_vec();
        Wish { mtls: json!({"enabled": true}), flags, environment }.start().await
    }

    fn roots(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.crt")
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn is_allowed(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value == format!("Bearer {BEARER}").as_str())
}

/// The account of a token is its third part, `<namespace>/<account>`.
async fn review(
    State(reviews): State<Arc<Mutex<Vec<Value>>>>,
    headers: HeaderMap,
    Json(asked): Json<Value>,
) -> (StatusCode, Json<Value>) {
    if !is_allowed(&headers) {
        return (StatusCode::UNAUTHORIZED, Json(json!({})));
    }
    let token = asked["spec"]["token"].as_str().unwrap().to_owned();
    reviews.lock().unwrap().push(asked);
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

async fn configurations() -> Json<Value> {
    let metadata = json!({"namespace": "shop", "name": "strict"});
    Json(json!({"items": [{"metadata": metadata, "spec": {"accessControl": {"trustDomain": "shop.test"}}}]}))
}

/// A token as Kubernetes makes them, with the account in place of the signature.
fn token(pod: &str, account: &str) -> String {
    use base64::Engine;
    let claims = json!({"kubernetes.io": {"pod": {"name": pod}}}).to_string();
    format!("e30.{}.{account}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims))
}

/// The identity that sentry gives.
async fn ask(sentry: &Sentry, namespace: &str, id: &str, token: &str) -> Result<String, Status> {
    ask_by(sentry, namespace, id, token, TokenValidator::Kubernetes).await
}

async fn ask_by(
    sentry: &Sentry,
    namespace: &str,
    id: &str,
    token: &str,
    validator: TokenValidator,
) -> Result<String, Status> {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let request = SignCertificateRequest {
        id: id.to_owned(),
        namespace: namespace.to_owned(),
        token: token.to_owned(),
        // What is asked for here does not count.
        trust_domain: "mine.test".to_owned(),
        token_validator: validator.into(),
        certificate_signing_request: CertificateParams::default()
            .serialize_request(&key)
            .unwrap()
            .pem()
            .unwrap()
            .into(),
        ..Default::default()
    };
    let mut client = CaClient::new(connect(sentry.port, None).await.unwrap());
    let answer = client.sign_certificate(request).await?.into_inner();
    let leaf = CertificateDer::from_pem_slice(&answer.workload_certificate).unwrap();
    Ok(id_of(&leaf).unwrap().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_get_the_identity_that_kubernetes_vouches_for() {
    let api = ApiServer::start().await;
    let sentry = api.sentry(BEARER, &api.roots()).await;
    for (namespace, id, pod, account, identity) in [
        ("shop", "web", "web-0", "shop/web", "spiffe://shop.test/ns/shop/web"),
        ("shop", "plain", "plain-0", "shop/plain", "spiffe://public/ns/shop/plain"),
        ("shop", "bare-0", "bare-0", "shop/bare", "spiffe://public/ns/shop/bare-0"),
        (
            "dapr-system",
            "dapr-placement",
            "placement-0",
            "dapr-system/placement",
            "spiffe://cluster.test/ns/dapr-system/dapr-placement",
        ),
    ] {
        assert_eq!(ask(&sentry, namespace, id, &token(pod, account)).await.unwrap(), identity);
    }
    // It is the usual one here.
    let by_default = ask_by(&sentry, "shop", "web", &token("web-0", "shop/web"), TokenValidator::Unknown).await;
    assert_eq!(by_default.unwrap(), "spiffe://shop.test/ns/shop/web");
    let reviews = api.reviews.lock().unwrap().clone();
    let audiences = json!(["dapr.io/sentry", "spiffe://cluster.test/ns/dapr-system/dapr-sentry"]);
    assert!(reviews.iter().all(|review| review["spec"]["audiences"] == audiences && review["kind"] == "TokenReview"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_get_no_other_identity() {
    let api = ApiServer::start().await;
    let sentry = api.sentry(BEARER, &api.roots()).await;
    for (namespace, id, token, word) in [
        ("shop", "web", String::new(), "does not contain a token"),
        ("shop", "web", token("web-0", ""), "authentication failed"),
        ("shop", "web", token("web-0", "error"), "the token has ended"),
        ("shop", "web", token("web-0", "user"), "not a properly structured"),
        ("shop", "web", token("web-0", "elsewhere"), "another audience"),
        ("shop", "other", token("web-0", "shop/web"), "app-id mismatch. expected: web, received: other"),
        ("other", "web", token("web-0", "shop/web"), "namespace mismatch"),
        ("shop", "web", token("web-0", "shop/plain"), "service account mismatch"),
        ("shop", "web", token("nowhere-0", "shop/web"), "failed to get pod"),
        ("shop", "web", token("web-0,metadata.name=x", "shop/web"), "failed to get pod"),
        ("shop", "web", token("", "shop/web"), "of no pod"),
        ("shop", "dapr-operator", token("fake-0", "shop/fake"), "is not allowed"),
        ("dapr-system", "dapr-kitchen", token("odd-0", "dapr-system/odd"), "unknown control plane service"),
        ("shop", &"a".repeat(65), token("web-0", "shop/web"), "64 characters or less"),
    ] {
        let refused = ask(&sentry, namespace, id, &token).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
        assert!(refused.message().contains(word), "{word}: {refused}");
    }
    for validator in [TokenValidator::Insecure, TokenValidator::Jwks] {
        let refused = ask_by(&sentry, "shop", "web", &token("web-0", "shop/web"), validator).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    assert_eq!(sentry.signed().await, 0);
}

/// Neither a server that anybody could be nor one that does not listen to sentry gives identities away.
#[tokio::test(flavor = "multi_thread")]
async fn sentry_trusts_no_other_api_server() {
    let (api, other) = (ApiServer::start().await, ApiServer::start().await);
    for sentry in [api.sentry("wrong", &api.roots()).await, api.sentry(BEARER, &other.roots()).await] {
        let refused = ask(&sentry, "shop", "web", &token("web-0", "shop/web")).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::PermissionDenied, "token review failed"));
    }
    assert!(api.reviews.lock().unwrap().is_empty());
}
