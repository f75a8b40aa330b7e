//! The credentials in a cluster: Dapr's secret `dapr-trust-bundle`, and the config map of that name, in which everybody finds the roots
//! (protocols.md 5.3).
use crate::error::Error;
use crate::kubernetes::Kubernetes;
use crate::options::Options;
use crate::tokens::Keys;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foundation_credentials::Credentials;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "dapr-trust-bundle";
const SECRET: &str = "secret";
const CONFIG_MAP: &str = "configmap";

/// Where the credentials are kept.
pub(crate) struct TrustBundle {
    kubernetes: Arc<Kubernetes>,
    namespace: String,
    names: Names,
}

/// What is kept. It is never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) credentials: Option<Credentials>,
    pub(crate) keys: Option<Keys>,
}

/// Keys of the secret. They are the names of the files that it is mounted as.
struct Names {
    ca: String,
    issuer_certificate: String,
    issuer_key: String,
    jwt_key: String,
    key_set: String,
}

impl TrustBundle {
    pub(crate) fn new(kubernetes: Arc<Kubernetes>, options: &Options) -> Self {
        let jwt = options.jwt.as_ref();
        let names = Names {
            ca: name(&options.ca),
            issuer_certificate: name(&options.issuer_certificate),
            issuer_key: name(&options.issuer_key),
            jwt_key: jwt.map(|jwt| name(&jwt.key)).unwrap_or_default(),
            key_set: jwt.map(|jwt| name(&jwt.key_set)).unwrap_or_default(),
        };
        Self { kubernetes, namespace: options.namespace.clone(), names }
    }

    /// What the secret holds.
    ///
    /// # Errors
    /// A secret that cannot be read, and one that holds some of the credentials only: what is there must not be replaced.
    pub(crate) async fn read(&self) -> Result<Held, Error> {
        let secret = self.get(SECRET).await?;
        let names = &self.names;
        let parts = [&names.ca, &names.issuer_certificate, &names.issuer_key];
        let [ca, issuer_certificate, issuer_key] = parts.map(|name| entry(&secret, name));
        let credentials = match (ca?, issuer_certificate?, issuer_key?) {
            (Some(ca), Some(issuer_certificate), Some(issuer_key)) => {
                Some(Credentials { ca, issuer_certificate, issuer_key })
            }
            (None, None, None) => None,
            (ca, certificate, _) => {
                let missing = [ca.is_none(), certificate.is_none(), true].iter().position(|missing| *missing);
                return Err(incomplete(missing.map_or("", |at| parts[at].as_str())));
            }
        };
        let keys = match (entry(&secret, &names.jwt_key)?, entry(&secret, &names.key_set)?) {
            (Some(key), Some(key_set)) => Some(Keys { key, key_set }),
            _ => None,
        };
        Ok(Held { credentials, keys })
    }

    /// Puts the credentials into the secret; what else is in it stays.
    ///
    /// # Errors
    /// A secret that is not there or may not be written, or that somebody else has written meanwhile.
    pub(crate) async fn write(&self, held: &Held) -> Result<(), Error> {
        let mut secret = self.get(SECRET).await?;
        let names = &self.names;
        let mut put = |name: &str, text: &str| secret["data"][name] = json!(STANDARD.encode(text));
        if let Some(credentials) = &held.credentials {
            put(&names.ca, &credentials.ca);
            put(&names.issuer_certificate, &credentials.issuer_certificate);
            put(&names.issuer_key, &credentials.issuer_key);
        }
        if let Some(keys) = &held.keys {
            put(&names.jwt_key, &keys.key);
            put(&names.key_set, &keys.key_set);
        }
        self.replace(SECRET, &secret).await
    }

    /// Tells everybody the roots, and the public keys of tokens, if the config map does not tell them yet.
    ///
    /// # Errors
    /// A config map that is not there or may not be written.
    pub(crate) async fn publish(&self, held: &Held) -> Result<(), Error> {
        let before = self.get(CONFIG_MAP).await?;
        let mut map = before.clone();
        if let Some(credentials) = &held.credentials {
            map["data"][&self.names.ca] = json!(credentials.ca);
        }
        if let Some(keys) = &held.keys {
            map["data"][&self.names.key_set] = json!(keys.key_set);
        }
        if map == before { Ok(()) } else { self.replace(CONFIG_MAP, &map).await }
    }

    async fn get(&self, what: &'static str) -> Result<Value, Error> {
        let failed = |reason| Error::Cluster { verb: "get", what, reason };
        let got = self.kubernetes.api().get::<Value>(&self.path(what)).await;
        let got = got.map_err(|error| failed(error.to_string()))?;
        let has_entries = got.is_object() && (got["data"].is_null() || got["data"].is_object());
        if has_entries { Ok(got) } else { Err(failed("the answer of Kubernetes is none".to_owned())) }
    }

    async fn replace(&self, what: &'static str, object: &Value) -> Result<(), Error> {
        let replaced = self.kubernetes.api().replace(&self.path(what), object).await;
        replaced.map_err(|error| Error::Cluster { verb: "update", what, reason: error.to_string() })
    }

    fn path(&self, what: &str) -> String {
        format!("/api/v1/namespaces/{}/{what}s/{NAME}", self.namespace)
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn entry(secret: &Value, name: &str) -> Result<Option<String>, Error> {
    let Some(text) = secret["data"][name].as_str().filter(|text| !text.is_empty()) else { return Ok(None) };
    let unreadable = || Error::Cluster { verb: "read", what: SECRET, reason: format!("{name} is no text in base64") };
    let bytes = STANDARD.decode(text.trim()).map_err(|_| unreadable())?;
    String::from_utf8(bytes).map(Some).map_err(|_| unreadable())
}

fn incomplete(name: &str) -> Error {
    let reason =
        format!("{name} is missing beside the other credentials; restore it, or remove the others to get new ones");
    Error::Cluster { verb: "read", what: SECRET, reason }
}
