//! Operations with single keys over HTTP: the JSON forms of the messages over gRPC.
use super::KeyFormat;
use crate::error::Error;
use crate::service::Service;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::{MethodRouter, post};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use component_api::crypto::{DecryptRequest, EncryptRequest, SignRequest};
use foundation_endpoint::proto_json::{message, or_default};
use foundation_endpoint::{Endpoints, read_body};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Adds the endpoints to those of the block.
pub(crate) fn add_to(endpoints: Endpoints, service: &Arc<Service>) -> Endpoints {
    let with = |handlers: MethodRouter<Arc<Service>>| handlers.with_state(Arc::clone(service));
    let add = |endpoints: Endpoints, path, handlers| endpoints.add("v1.0-alpha1", "subtlecrypto", path, with(handlers));
    let endpoints = add(endpoints, "subtlecrypto/{name}/getkey", post(get_key));
    let endpoints = add(endpoints, "subtlecrypto/{name}/encrypt", post(encrypt));
    let endpoints = add(endpoints, "subtlecrypto/{name}/decrypt", post(decrypt));
    let endpoints = add(endpoints, "subtlecrypto/{name}/wrapkey", post(wrap_key));
    let endpoints = add(endpoints, "subtlecrypto/{name}/unwrapkey", post(unwrap_key));
    let endpoints = add(endpoints, "subtlecrypto/{name}/sign", post(sign));
    add(endpoints, "subtlecrypto/{name}/verify", post(verify))
}

type Shared = State<Arc<Service>>;
type Answer = Result<Json<Value>, Error>;

/// The members of all requests.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Asked {
    #[serde(deserialize_with = "or_default")]
    name: String,
    format: Value,
    #[serde(alias = "key_name", deserialize_with = "or_default")]
    key_name: String,
    #[serde(deserialize_with = "or_default")]
    algorithm: String,
    #[serde(alias = "plaintext_key", alias = "plaintextKey", deserialize_with = "base64")]
    plaintext: Bytes,
    #[serde(alias = "wrapped_key", alias = "wrappedKey", deserialize_with = "base64")]
    ciphertext: Bytes,
    #[serde(deserialize_with = "base64")]
    nonce: Bytes,
    #[serde(deserialize_with = "base64")]
    tag: Bytes,
    #[serde(alias = "associated_data", deserialize_with = "base64")]
    associated_data: Bytes,
    #[serde(deserialize_with = "base64")]
    digest: Bytes,
    #[serde(deserialize_with = "base64")]
    signature: Bytes,
}

impl Asked {
    async fn read(body: Body) -> Result<Self, Error> {
        let body = read_body(body).await.map_err(|error| Error::Body(error.to_string()))?;
        message(&body).map_err(|error| Error::Malformed(error.to_string()))
    }

    fn encryption(self) -> EncryptRequest {
        let Self { key_name: key, algorithm, plaintext, nonce, associated_data, .. } = self;
        EncryptRequest { key, algorithm, plaintext, nonce, associated_data }
    }

    fn decryption(self) -> DecryptRequest {
        let Self { key_name: key, algorithm, ciphertext, nonce, tag, associated_data, .. } = self;
        DecryptRequest { key, algorithm, ciphertext, nonce, tag, associated_data }
    }
}

async fn get_key(State(service): Shared, Path(component): Path<String>, body: Body) -> Answer {
    let asked = Asked::read(body).await?;
    let format = match (asked.format.as_str(), asked.format.as_i64()) {
        (Some("JSON"), _) | (_, Some(1)) => KeyFormat::Json,
        (Some("PEM"), _) | (_, Some(0)) => KeyFormat::Pem,
        _ if asked.format.is_null() => KeyFormat::Pem,
        _ => return Err(Error::Invalid("invalid key format".to_owned())),
    };
    let (name, key) = service.public_key(&component, &asked.name, format).await?;
    Ok(answer(&[("name", name), ("publicKey", key)]))
}

async fn encrypt(State(service): Shared, Path(component): Path<String>, body: Body) -> Answer {
    let done = service.encrypt_message(&component, Asked::read(body).await?.encryption()).await?;
    Ok(answer(&[("ciphertext", encoded(&done.ciphertext)), ("tag", encoded(&done.tag))]))
}

async fn decrypt(State(service): Shared, Path(component): Path<String>, body: Body) -> Answer {
    let plaintext = service.decrypt_message(&component, Asked::read(body).await?.decryption()).await?;
    Ok(answer(&[("plaintext", encoded(&plaintext))]))
}

async fn wrap_key(State(service): Shared, Path(component): Path<String>, body: Body) -> Answer {
    let done = service.wrap_key(&component, Asked::read(body).await?.encryption()).await?;
    Ok(answer(&[("wrappedKey", encoded(&done.ciphertext)), ("tag", encoded(&done.tag))]))
}

async fn unwrap_key(State(service): Shared, Path(component): Path<String>, body: Body) -> Answer {
    let key = service.unwrap_key(&component, Asked::read(body).await?.decryption()).await?;
    Ok(answer(&[("plaintextKey", encoded(&key))]))
}

async fn sign(State(service): Shared, Path(component): Path<String>, body: Body) -> Answer {
    let Asked { key_name: key, algorithm, digest, .. } = Asked::read(body).await?;
    let signature = service.sign(&component, SignRequest { key, algorithm, digest }).await?;
    Ok(answer(&[("signature", encoded(&signature))]))
}

async fn verify(State(service): Shared, Path(component): Path<String>, body: Body) -> Answer {
    let Asked { key_name: key, algorithm, digest, signature, .. } = Asked::read(body).await?;
    let valid = service.verify(&component, SignRequest { key, algorithm, digest }, signature).await?;
    // What is false is left out, as in all messages.
    let members = valid.then(|| ("valid".to_owned(), true.into()));
    Ok(Json(Value::Object(members.into_iter().collect())))
}

/// A message without its empty members.
fn answer(members: &[(&str, String)]) -> Json<Value> {
    let given = members.iter().filter(|(_, text)| !text.is_empty());
    Json(Value::Object(given.map(|(name, text)| ((*name).to_owned(), text.as_str().into())).collect::<Map<_, _>>()))
}

fn encoded(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// Bytes in Base64 of either alphabet, padded or not.
fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    let text = text.trim_end_matches('=');
    let decoded = BASE64_STANDARD_NO_PAD.decode(text).or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(text));
    decoded.map(Bytes::from).map_err(D::Error::custom)
}
