//! An identity provider on loopback: it issues tokens and serves what clients ask for.
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use component_api::Task;
use serde_json::{Value, json};
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
            .with_state(Arc::clone(&shared));
        let server = Task::spawn(async move |_| axum::serve(listener, router).await.unwrap());
        Self { url, shared, _server: server }
    }

    /// Serves these keys from now on.
    pub(crate) fn publish(&self, keys: &[&Key]) {
        *self.shared.keys.lock().unwrap() = keys.iter().map(|key| key.public()).collect();
    }

    /// How often the keys were fetched.
    pub(crate) fn fetches(&self) -> u32 {
        *self.shared.fetches.lock().unwrap()
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
    let keys = shared.keys.lock().unwrap();
    if keys.is_empty() {
        return Err(StatusCode::NOT_FOUND);
    }
    Ok(json!({ "keys": *keys }).to_string())
}
