//! Documents through both transports.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers outside of test functions, which the lint does not know as tests.
use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use block_crypto::subtle::{self, sign, verify};
use block_crypto::{Service, decrypt, encrypt, endpoints};
use bytes::Bytes;
use component_api::{Config, Instance, Live, Lookup, Properties, Registry};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use tonic::{Code, Status};
use tower::ServiceExt;
use wire::common::v1::StreamPayload;
use wire::runtime::v1;

const ENCRYPT: &str = "/v1.0-alpha1/crypto/keys/encrypt";
const DECRYPT: &str = "/v1.0-alpha1/crypto/keys/decrypt";
const SYMMETRIC: [(&str, &str); 2] = [("dapr-key-name", "sym.json"), ("dapr-key-wrap-algorithm", "a256kw")];
const SEGMENT: usize = 64 << 10;

/// Encrypted by Dapr 1.18.3 with the same key.
const OF_DAPR: &str = "ZGFwci5pby9lbmMvdjEKeyJrIjoic3ltLmpzb24iLCJrdyI6MSwid2ZrIjoibjFMYko5NysvU29EekdhTHVvaDJPdnRBd0tjb21lTldzZTQ\
    wTDlqQjZlOXkzaEJ4ZTJHZUt3PT0iLCJjcGgiOjEsIm5wIjoiejJGMUppRHZlUT09In0KS1BKd01aUHRlR3RlOFRYV2tDb2hnQnBHYWM0VnZOS0FiTm5RTllv\
    Y1ppaz0KuZtg8fIWOHm8fPbg35Tpg2ohopNsgCbzaPYmQrUJM+snvHvJGA==";

struct World {
    service: Arc<Service>,
    router: Router,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["sym", "other"] {
            let key = r#"{"kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}"#;
            std::fs::write(folder.path().join(format!("{name}.json")), key).unwrap();
        }
        let live = Live::default();
        live.insert(provider(folder.path().to_str().unwrap()).await);
        let service = Arc::new(Service::new(live).with_subtle(true));
        let router = endpoints(Arc::clone(&service)).into_router(|_| true);
        Self { service, router, folder }
    }

    /// Asks for an operation with a single key.
    async fn subtle(&self, operation: &str, body: Value) -> (u16, Value) {
        let path = format!("/v1.0-alpha1/subtlecrypto/keys/{operation}");
        let request = Request::builder().method("POST").uri(path).body(Body::from(body.to_string())).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap())
    }

    async fn http(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> (u16, Bytes) {
        let request = Request::builder().method("PUT").uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.into_body().collect().await.unwrap().to_bytes())
    }

    async fn encrypted(&self, text: &[u8]) -> Bytes {
        let (status, document) = self.http(ENCRYPT, &SYMMETRIC, text.to_vec()).await;
        assert_eq!(status, 200);
        document
    }

    /// Decrypts a document in pieces of a size over gRPC.
    async fn decrypted(&self, document: &[u8], size: usize) -> Result<Vec<u8>, Status> {
        let options = v1::DecryptRequestOptions { component_name: "keys".to_owned(), ..Default::default() };
        let first = v1::DecryptRequest { options: Some(options), payload: None };
        let rest = pieces(document, size).map(|payload| v1::DecryptRequest { options: None, payload: Some(payload) });
        let requests: Vec<_> = std::iter::once(first).chain(rest).map(Ok).collect();
        let answers: Vec<_> = decrypt(&self.service, stream::iter(requests)).await?.try_collect().await?;
        let payloads: Vec<_> = answers.into_iter().map(|answer| answer.payload.unwrap()).collect();
        assert!(payloads.iter().enumerate().all(|(index, payload)| payload.seq == index as u64));
        Ok(payloads.iter().flat_map(|payload| payload.data.to_vec()).collect())
    }
}

async fn provider(path: &str) -> Instance<dyn component_api::crypto::Keys> {
    let mut registry = Registry::default();
    component_crypto::register(&mut registry);
    let Lookup::Found(make) = registry.crypto.find("dapr.localstorage", "v1") else { panic!("not registered") };
    let properties = Properties::from_iter([("path", path)]);
    let config = Config {
        name: "keys".to_owned(),
        app_id: "app".to_owned(),
        namespace: String::new(),
        version: "v1".to_owned(),
        properties: properties.clone(),
    };
    Instance {
        name: "keys".to_owned(),
        kind: "crypto.dapr.localstorage".to_owned(),
        version: "v1".to_owned(),
        properties,
        component: make(config).await.unwrap(),
    }
}

fn pieces(bytes: &[u8], size: usize) -> impl Iterator<Item = StreamPayload> {
    bytes.chunks(size).zip(0..).map(|(data, seq)| StreamPayload { data: Bytes::copy_from_slice(data), seq })
}

#[tokio::test]
async fn documents_of_all_lengths_come_back() {
    let world = World::new().await;
    for length in [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 3 * SEGMENT + 7] {
        let text: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        let document = world.encrypted(&text).await;
        assert_eq!(world.http(DECRYPT, &[], document.clone()).await, (200, text.clone().into()));
        assert_eq!(world.decrypted(&document, 1000).await.unwrap(), text);
    }
}

#[tokio::test]
async fn a_document_of_dapr_is_decrypted() {
    let world = World::new().await;
    let document = BASE64_STANDARD.decode(OF_DAPR).unwrap();
    assert_eq!(world.http(DECRYPT, &[], document.clone()).await, (200, "recorded text AES key".into()));
    assert_eq!(world.decrypted(&document, 1).await.unwrap(), b"recorded text AES key");
}

#[tokio::test]
async fn a_document_names_its_key_or_does_not() {
    let world = World::new().await;
    let omitted = [&SYMMETRIC[..], &[("dapr-omit-decryption-key-name", "true")]].concat();
    let (_, document) = world.http(ENCRYPT, &omitted, "x").await;
    let (status, answer) = world.http(DECRYPT, &[], document.clone()).await;
    let reason = "document's manifest does not contain a key name, and no key name was provided";
    assert_eq!(
        (status, message(&answer)),
        (500, ("ERR_CRYPTO".to_owned(), format!("failed to perform operation: {reason}")))
    );
    assert_eq!(world.http(DECRYPT, &[("dapr-key-name", "sym.json")], document).await, (200, "x".into()));

    let other = [&SYMMETRIC[..], &[("dapr-decryption-key-name", "other.json")]].concat();
    let (_, document) = world.http(ENCRYPT, &other, "x").await;
    assert!(String::from_utf8_lossy(&document).contains(r#"{"k":"other.json","kw":1,"#));
    assert_eq!(world.http(DECRYPT, &[], document).await, (200, "x".into()));
}

#[tokio::test]
async fn a_changed_document_is_refused() {
    let world = World::new().await;
    let document = world.encrypted(&[7; 2 * SEGMENT]).await.to_vec();
    let mut changed = document.clone();
    *changed.last_mut().unwrap() ^= 1;
    let reason = "error processing segment 1: failed to decrypt segment".to_owned();
    let (status, answer) = world.http(DECRYPT, &[], changed.clone()).await;
    assert_eq!((status, message(&answer)), (500, ("ERROR".to_owned(), reason.clone())));
    let status = world.decrypted(&changed, 5000).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Internal, &*format!("failed to perform operation: {reason}")));

    // A document that ends after a whole segment is no shorter document.
    let (status, _) = world.http(DECRYPT, &[], document[..document.len() - SEGMENT - 16].to_vec()).await;
    assert_eq!(status, 500);
}

#[tokio::test]
async fn a_wrong_header_is_refused() {
    let world = World::new().await;
    let document = String::from_utf8_lossy(&BASE64_STANDARD.decode(OF_DAPR).unwrap()).into_owned();
    let cases = [
        ("", "invalid header: scheme name not found"),
        ("\n", "invalid header: invalid format"),
        ("dapr.io/enc/v2\n{}\nx\n", "invalid header: unsupported scheme"),
        ("dapr.io/enc/v1\n{}", "invalid header: manifest not found"),
        ("dapr.io/enc/v1\n{}\nx", "invalid header: message authentication code not found"),
        ("dapr.io/enc/v1\n{}\nx\n", "invalid header: invalid manifest"),
        (&document.replace("n1LbJ", "n1LbK"), "failed to validate the document's signature"),
        (&document.replace(r#""sym.json""#, r#""none""#), "failed to validate the document's signature"),
    ];
    for (document, reason) in cases {
        let (status, answer) = world.http(DECRYPT, &[], document.to_owned()).await;
        let expected = ("ERR_CRYPTO".to_owned(), format!("failed to perform operation: {reason}"));
        assert_eq!((status, message(&answer)), (500, expected));
    }
}

#[tokio::test]
async fn wrong_requests_over_http() {
    let world = World::new().await;
    let wrong_cipher = [&SYMMETRIC[..], &[("dapr-data-encryption-cipher", "rot13")]].concat();
    let wrong_algorithm = [SYMMETRIC[0], ("dapr-key-wrap-algorithm", "none")];
    let wrong_key = [("dapr-key-name", "../x"), SYMMETRIC[1]];
    let operation = "failed to perform operation: ";
    let none = "/v1.0-alpha1/crypto/none/encrypt";
    check(&world, none, &[], 400, "ERR_CRYPTO_PROVIDER_NOT_FOUND", "crypto provider none not found").await;
    check(&world, ENCRYPT, &[], 400, "ERR_BAD_REQUEST", "invalid request: missing header 'dapr-key-name'").await;
    let reason = "invalid request: missing header 'dapr-key-wrap-algorithm'";
    check(&world, ENCRYPT, &SYMMETRIC[..1], 400, "ERR_BAD_REQUEST", reason).await;
    let reason = format!("{operation}option Cipher is not valid: cipher ROT13 is not supported");
    check(&world, ENCRYPT, &wrong_cipher, 500, "ERR_CRYPTO", &reason).await;
    let reason = format!("{operation}option Algorithm is not valid: algorithm NONE is not supported");
    check(&world, ENCRYPT, &wrong_algorithm, 500, "ERR_CRYPTO", &reason).await;
    let retrieving = "failed to wrap the file key: failed to retrieve the key encryption key";
    let reason = format!("{operation}{retrieving}: invalid key path: cannot contain '..'");
    check(&world, ENCRYPT, &wrong_key, 500, "ERR_CRYPTO", &reason).await;
}

#[tokio::test]
async fn without_providers_nothing_is_configured() {
    let service = Arc::new(Service::new(Live::default()));
    let router = endpoints(Arc::clone(&service)).into_router(|_| true);
    let world = World { service, router, folder: tempfile::tempdir().unwrap() };
    let reason = "crypto providers not configured";
    check(&world, ENCRYPT, &[], 500, "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED", reason).await;
    let status = world.decrypted(b"x", 1).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Internal, reason));
}

#[tokio::test]
async fn wrong_messages_over_grpc() {
    let world = World::new().await;
    let options = v1::EncryptRequestOptions {
        component_name: "keys".to_owned(),
        key_name: "sym.json".to_owned(),
        key_wrap_algorithm: "AES".to_owned(),
        ..Default::default()
    };
    let first = v1::EncryptRequest { options: Some(options.clone()), payload: None };
    let piece = |seq| v1::EncryptRequest {
        options: None,
        payload: Some(StreamPayload { data: Bytes::from_static(b"x"), seq }),
    };
    let keyless = v1::EncryptRequestOptions { key_name: String::new(), ..options };
    let keyless = v1::EncryptRequest { options: Some(keyless), payload: None };
    let cases: [(Vec<v1::EncryptRequest>, Code, &str); 5] = [
        (vec![], Code::Internal, "failed to perform operation: error receiving the first message: EOF"),
        (vec![piece(0)], Code::InvalidArgument, "invalid request: first message does not contain the required options"),
        (vec![keyless], Code::InvalidArgument, "invalid request: missing property 'keyName' in the options message"),
        (
            vec![first.clone(), piece(1)],
            Code::Internal,
            "failed to perform operation: invalid sequence number received: 1 (expected: 0)",
        ),
        (
            vec![first.clone(), first],
            Code::Internal,
            "failed to perform operation: options found in non-leading message",
        ),
    ];
    for (requests, code, reason) in cases {
        let answers = encrypt(&world.service, stream::iter(requests.into_iter().map(Ok))).await;
        let status = match answers {
            Ok(answers) => answers.try_collect::<Vec<_>>().await.unwrap_err(),
            Err(status) => status,
        };
        assert_eq!((status.code(), status.message()), (code, reason));
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_message_may_take_five_seconds() {
    let world = World::new().await;
    let never = stream::pending::<Result<v1::EncryptRequest, Status>>().boxed();
    let Err(status) = encrypt(&world.service, never).await else { panic!("there were no options") };
    let reason = "invalid request: error waiting for first message: context deadline exceeded";
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, reason));
}

async fn check(world: &World, path: &str, headers: &[(&str, &str)], status: u16, code: &str, reason: &str) {
    let (got, answer) = world.http(path, headers, "text").await;
    assert_eq!((got, message(&answer)), (status, (code.to_owned(), reason.to_owned())));
}

/// Code and message of an error.
fn message(answer: &[u8]) -> (String, String) {
    let body: Value = serde_json::from_slice(answer).unwrap();
    (body["errorCode"].as_str().unwrap().to_owned(), body["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn single_keys_encrypt_and_wrap() {
    let world = World::new().await;
    let asked = |members: Value| {
        let mut all = json!({"keyName": "sym.json", "algorithm": "A256GCM", "nonce": "AAAAAAAAAAAAAAAA"});
        members.as_object().unwrap().iter().for_each(|(name, value)| all[name] = value.clone());
        all
    };
    for (encrypt, plain, cipher, decrypt) in
        [("encrypt", "plaintext", "ciphertext", "decrypt"), ("wrapkey", "plaintextKey", "wrappedKey", "unwrapkey")]
    {
        let text = BASE64_STANDARD.encode([7; 32]);
        let (status, done) = world.subtle(encrypt, asked(json!({plain: text}))).await;
        assert_eq!(status, 200);
        let back = asked(json!({cipher: done[cipher], "tag": done["tag"]}));
        assert_eq!(world.subtle(decrypt, back).await, (200, json!({plain: text})));
        let forged = asked(json!({cipher: done[cipher], "tag": "AAAAAAAAAAAAAAAAAAAAAA=="}));
        let (status, error) = world.subtle(decrypt, forged).await;
        assert_eq!((status, &error["errorCode"]), (500, &json!("ERR_CRYPTO")), "nothing is told of the reason");
        assert!(error["message"].as_str().unwrap().starts_with("failed to perform operation: failed to "));
    }
}

#[tokio::test]
async fn single_keys_sign_and_are_shown() {
    let world = World::new().await;
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/../../components/crypto/tests/keys/ed25519.pem");
    std::fs::copy(key, world.folder.path().join("ed.pem")).unwrap();
    let (component_name, key_name, algorithm) = ("keys".to_owned(), "ed.pem".to_owned(), "EdDSA".to_owned());
    let digest = Bytes::from_static(b"text");
    let request = v1::SubtleSignRequest { component_name, digest: digest.clone(), algorithm, key_name };
    let signature = sign(&world.service, request.clone()).await.unwrap().signature;
    let v1::SubtleSignRequest { component_name, algorithm, key_name, .. } = request;
    let request = v1::SubtleVerifyRequest { component_name, digest, algorithm, key_name, signature };
    assert!(verify(&world.service, request.clone()).await.unwrap().valid);
    let other = v1::SubtleVerifyRequest { digest: Bytes::from_static(b"other"), ..request };
    assert!(!verify(&world.service, other).await.unwrap().valid);

    let (_, pem) = world.subtle("getkey", json!({"name": "ed.pem"})).await;
    assert!(pem["publicKey"].as_str().unwrap().starts_with("-----BEGIN PUBLIC KEY-----\n"));
    let (_, jwk) = world.subtle("getkey", json!({"name": "ed.pem", "format": "JSON"})).await;
    let jwk: Value = serde_json::from_str(jwk["publicKey"].as_str().unwrap()).unwrap();
    assert_eq!((&jwk["kty"], &jwk["d"]), (&json!("OKP"), &Value::Null));
    let (status, error) = world.subtle("getkey", json!({"name": "sym.json"})).await;
    let expected = json!({"errorCode": "ERR_CRYPTO_KEY", "message": "failed to retrieve key sym.json: key not found"});
    assert_eq!((status, error), (500, expected));
}

#[tokio::test]
async fn single_keys_are_refused_unless_they_are_switched_on() {
    let service = Arc::new(Service::new(Live::default()));
    let router = endpoints(Arc::clone(&service)).into_router(|_| true);
    let world = World { service, router, folder: tempfile::tempdir().unwrap() };
    let expected = json!({"errorCode": "ERR_API_UNIMPLEMENTED", "message": "this API is currently not implemented"});
    for operation in ["getkey", "encrypt", "decrypt", "wrapkey", "unwrapkey", "sign", "verify"] {
        assert_eq!(world.subtle(operation, json!({})).await, (501, expected.clone()), "{operation}");
    }
    let status = subtle::get_key(&world.service, v1::SubtleGetKeyRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}
