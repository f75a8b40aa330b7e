//! An identity provider on loopback: it issues tokens and serves what clients ask for.
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use component_api::Task;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// A provider that ends with its value.
pub(crate) struct Provider {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _server: Task,
}

#[derive(Default)]
struct Shared {
    url: Mutex<String>,
    keys: Mutex<Vec<Value>>,
    fetches: Mutex<u32>,
    /// Whether nobody gets the keys, or a word.
    is_silent: AtomicBool,
    token_requests: Mutex<Vec<TokenRequest>>,
    /// Whether only those get a token who say in parameters who they are.
    parameters_only: AtomicBool,
    /// What everybody gets in place of a token.
    answer: Mutex<Option<Answer>>,
}

/// Status, content type and body.
type Answer = (StatusCode, [(&'static str, &'static str); 1], String);

/// A request for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenRequest {
    pub(crate) authorization: Option<String>,
    pub(crate) form: BTreeMap<String, String>,
}

/// A key of the provider.
pub(crate) struct Key {
    id: String,
    pair: Ed25519KeyPair,
}

impl Key {
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), pair: Ed25519KeyPair::generate().unwrap() }
    }

    fn public(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": encode(self.pair.public_key()) })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "kid": self.id });
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        format!("{message}.{}", encode(self.pair.sign(message.as_bytes())))
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared { url: Mutex::new(url.clone()), ..Shared::default() });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(Arc::clone(&shared));
        let server = Task::spawn(async move |_| axum::serve(listener, router).await.unwrap());
        Self { url, shared, _server: server }
    }

    /// Serves these keys from now on.
    pub(crate) fn publish(&self, keys: &[&Key]) {
        *self.shared.keys.lock().unwrap() = keys.iter().map(|key| key.public()).collect();
    }

    /// Whoever asks for the keys waits from now on.
    pub(crate) fn fall_silent(&self) {
        self.shared.is_silent.store(true, Ordering::Relaxed);
    }

    /// How often the keys were fetched.
    pub(crate) fn fetches(&self) -> u32 {
        *self.shared.fetches.lock().unwrap()
    }

    #[cfg(feature = "oauth2")]
    pub(crate) fn token_url(&self) -> String {
        format!("{}/token", self.url)
    }

    #[cfg(feature = "oauth2")]
    pub(crate) fn token_requests(&self) -> Vec<TokenRequest> {
        self.shared.token_requests.lock().unwrap().clone()
    }

    #[cfg(feature = "oauth2")]
    pub(crate) fn take_parameters_only(&self) {
        self.shared.parameters_only.store(true, Ordering::Relaxed);
    }

    #[cfg(feature = "oauth2")]
    pub(crate) fn answer(&self, status: StatusCode, content_type: &'static str, body: &str) {
        *self.shared.answer.lock().unwrap() = Some((status, [("content-type", content_type)], body.to_owned()));
    }

    pub(crate) fn keys_url(&self) -> String {
        format!("{}/keys", self.url)
    }
}

async fn discovery(State(shared): State<Arc<Shared>>) -> String {
    let url = shared.url.lock().unwrap();
    json!({ "issuer": *url, "jwks_uri": format!("{url}/keys") }).to_string()
}

async fn keys(State(shared): State<Arc<Shared>>) -> Result<String, StatusCode> {
    *shared.fetches.lock().unwrap() += 1;
    if shared.is_silent.load(Ordering::Relaxed) {
        return std::future::pending().await;
    }
    let keys = shared.keys.lock().unwrap();
    if keys.is_empty() {
        return Err(StatusCode::NOT_FOUND);
    }
    Ok(json!({ "keys": *keys }).to_string())
}

/// Gives out tokens `token-1`, `token-2` and so on, unless the code is `bad`.
async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Answer {
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let form: BTreeMap<_, _> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let unknown = shared.parameters_only.load(Ordering::Relaxed) && !form.contains_key("client_secret");
    let bad = form.get("code").is_some_and(|code| code == "bad");
    let mut requests = shared.token_requests.lock().unwrap();
    requests.push(TokenRequest { authorization, form });
    if let Some(answer) = shared.answer.lock().unwrap().clone() {
        return answer;
    }
    let json = |value: Value| ([("content-type", "application/json")], value.to_string());
    if unknown || bad {
        let (header, body) = json(json!({ "error": "invalid_client" }));
        return (StatusCode::UNAUTHORIZED, header, body);
    }
    let token = format!("token-{}", requests.len());
    let (header, body) = json(json!({ "access_token": token, "token_type": "bearer", "expires_in": 100 }));
    (StatusCode::OK, header, body)
}
