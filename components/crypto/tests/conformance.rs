//! The common suite over the components of this crate.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers outside of test functions, which the lint does not know as tests.
use component_api::crypto::{EncryptRequest, Keys};
use component_api::{Config, Lookup, Properties, Registry};
use conformance::crypto::{Subject, Tried};
use std::sync::Arc;

const RSA: &[&str] = &["RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512"];

const SUBJECT: Subject = Subject {
    symmetric: &[
        Tried { key: "symmetric-128.b64", algorithms: &["A128CBC", "A128CBC-NOPAD", "A128GCM", "A128KW"] },
        Tried { key: "symmetric-192.b64", algorithms: &["A192CBC", "A192CBC-NOPAD", "A192GCM", "A192KW"] },
        Tried {
            key: "symmetric-256.b64",
            algorithms: &[
                "A256CBC",
                "A256CBC-NOPAD",
                "A256GCM",
                "A256KW",
                "A128CBC-HS256",
                "C20P",
                "C20PKW",
                "XC20P",
                "XC20PKW",
            ],
        },
        Tried { key: "symmetric-384.b64", algorithms: &["A192CBC-HS384"] },
        Tried { key: "symmetric-512.b64", algorithms: &["A256CBC-HS512"] },
    ],
    decrypting: &[Tried { key: "rsa.pem", algorithms: RSA }],
    signing: &[
        Tried { key: "rsa.pem", algorithms: &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] },
        Tried { key: "p256.pem", algorithms: &["ES256"] },
        Tried { key: "p384.pem", algorithms: &["ES384"] },
        Tried { key: "p521.pem", algorithms: &["ES512"] },
        Tried { key: "ed25519.pem", algorithms: &["EdDSA"] },
    ],
    public: &[
        Tried { key: "rsa-public.pem", algorithms: RSA },
        Tried { key: "p256-public.pem", algorithms: &[] },
        Tried { key: "ed25519-public.pem", algorithms: &[] },
    ],
};

#[tokio::test]
async fn files() {
    conformance::crypto::run(&*component("dapr.localstorage", "path", KEYS).await, SUBJECT).await;
}

#[tokio::test]
async fn a_set_of_keys() {
    let path = format!("{KEYS}/set.json");
    conformance::crypto::run(&*component("dapr.jwks", "jwks", &path).await, SUBJECT).await;
    let text = std::fs::read_to_string(path).unwrap();
    conformance::crypto::run(&*component("dapr.jwks", "jwks", &text).await, SUBJECT).await;
}

#[tokio::test]
async fn older_forms_of_private_keys() {
    let keys = component("dapr.localstorage", "path", KEYS).await;
    for (older, newer) in [("rsa-pkcs1.pem", "rsa.pem"), ("p256-sec1.pem", "p256.pem")] {
        assert_eq!(keys.public_key(older).await.unwrap().der, keys.public_key(newer).await.unwrap().der);
    }
}

#[tokio::test]
async fn names_stay_in_the_folder() {
    let keys = component("dapr.localstorage", "path", &format!("{KEYS}/../keys")).await;
    for name in ["../keys/rsa.pem", "/etc/hostname"] {
        assert!(keys.public_key(name).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_file_with_a_set_is_read_again_when_it_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.json");
    std::fs::write(&path, r#"{"keys": []}"#).unwrap();
    let keys = component("dapr.jwks", "jwks", &path.to_string_lossy()).await;
    assert_eq!(keys.public_key("rsa.pem").await.unwrap_err().to_string(), "key not found");
    let fresh = folder.path().join("fresh.json");
    std::fs::copy(format!("{KEYS}/set.json"), &fresh).unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
    std::fs::File::open(&fresh).unwrap().set_modified(later).unwrap();
    std::fs::rename(&fresh, &path).unwrap();
    keys.public_key("rsa.pem").await.unwrap();
}

#[tokio::test]
async fn a_key_is_used_for_what_it_is_made_for_only() {
    let set = r#"{"keys": [
        {"kid": "signs", "kty": "oct", "use": "sig", "k": "AAECAwQFBgcICQoLDA0ODw"},
        {"kid": "decrypts", "kty": "oct", "key_ops": ["decrypt"], "k": "AAECAwQFBgcICQoLDA0ODw"},
        {"kid": "wraps", "kty": "oct", "alg": "A128KW", "k": "AAECAwQFBgcICQoLDA0ODw"}]}"#;
    let keys = component("dapr.jwks", "jwks", set).await;
    for (key, reason) in [
        ("signs", "key cannot perform the 'encrypt' operation"),
        ("decrypts", "key cannot perform the 'encrypt' operation"),
        ("wraps", "key cannot be used with algorithm 'A128GCM'"),
        ("other", "failed to retrieve the key: key not found"),
    ] {
        let request =
            EncryptRequest { key: key.to_owned(), algorithm: "A128GCM".to_owned(), ..EncryptRequest::default() };
        assert_eq!(keys.encrypt(request).await.unwrap_err().to_string(), reason);
    }
}

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys");

async fn component(name: &str, property: &str, value: &str) -> Arc<dyn Keys> {
    let mut registry = Registry::default();
    component_crypto::register(&mut registry);
    let Lookup::Found(make) = registry.crypto.find(name, "v1") else { panic!("{name} is not registered") };
    let properties = Properties::from_iter([(property, value)]);
    let config = Config {
        name: "keys".to_owned(),
        app_id: "app".to_owned(),
        namespace: String::new(),
        version: "v1".to_owned(),
        properties,
    };
    make(config).await.unwrap()
}
