//! Attempts to be somebody else, towards sidecars and towards the certificate authority. All are refused, and everybody else is served.
use crate::app::App;
use crate::attacker::{Shown, connect, invoke};
use crate::authority::{Sentry, Wish};
use crate::wait::until;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use foundation_credentials::{Authority, Files, Lifetimes};
use foundation_jwt::{SigningKey, generate_rsa};
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, Issuer, KeyPair, PKCS_ED25519, SanType};
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::{Code, Status};
use wire::sentry::v1::SignCertificateRequest;
use wire::sentry::v1::ca_client::CaClient;
use wire::sentry::v1::sign_certificate_request::TokenValidator;

/// Ways to write a method that the caller may not call, and that an app would take for it.
const FORBIDDEN: [&str; 11] = [
    "secret/plans",
    "/secret/plans",
    "SECRET/Plans",
    "a/../secret/plans",
    "./secret/plans",
    "//secret//plans",
    "secret%2Fplans",
    "%73ecret/plans",
    "a/%2e%2e/secret/plans",
    "a%2f..%2fsecret%2fplans",
    "%2Fsecret/plans",
];
const CALLER: &str = "spiffe://public/ns/default/caller";
/// With who is not to be answered.
const PATIENCE: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).unwrap()
}

/// What somebody could sign who has stolen the key of the authority's issuer.
fn thief(sentry: &Sentry, workload: Duration) -> Authority {
    let credentials = Files::of_folder(sentry.folder()).read().unwrap().unwrap();
    Authority::new(&credentials, Lifetimes { workload, skew: HOUR, root: HOUR }).unwrap()
}

fn chain(thief: &Authority, id: &str, key: &KeyPair) -> Vec<CertificateDer<'static>> {
    thief.sign(key, &id.parse().unwrap(), &[]).unwrap().chain
}

fn of_caller() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(CALLER).unwrap())];
    params
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_serves_those_alone_who_are_who_they_say_and_may_call() {
    let names = tempfile::tempdir().unwrap();
    let app = App::start(&[]).await;
    let sentry = Sentry::start().await;
    let callee = sentry.sidecar("callee", Some(app.port), names.path()).start().await;
    let port = callee.internal_port;
    let good = thief(&sentry, HOUR);
    let shown = |id: &str| {
        let key = key();
        Some(Shown::new(chain(&good, id, &key), &key))
    };
    until("the callee answers its caller", async || invoke(port, shown(CALLER), "hello").await == Some(Code::Ok)).await;

    for (id, whose) in [
        ("spiffe://public/ns/other/caller", "another namespace"),
        ("spiffe://other/ns/default/caller", "another trust domain"),
        ("spiffe://public/ns/default/other", "another app"),
    ] {
        assert_eq!(invoke(port, shown(id), "hello").await, Some(Code::PermissionDenied), "{whose}");
    }
    for method in FORBIDDEN {
        assert_eq!(invoke(port, shown(CALLER), method).await, Some(Code::PermissionDenied), "{method}");
    }

    let own = key();
    let expired = chain(&thief(&sentry, Duration::ZERO), CALLER, &own);
    until("the certificate has ended", async || {
        let parsed = foundation_identity::Svid::new(expired.clone(), &rustls_key(&own)).unwrap();
        // Its last second belongs to its life.
        parsed.expires() + Duration::from_secs(1) < SystemTime::now()
    })
    .await;
    let leaf = chain(&good, CALLER, &own);
    let below = {
        let issuer = Issuer::from_ca_cert_der(&leaf[0], KeyPair::try_from(own.serialize_der().as_slice()).unwrap());
        let below = of_caller().signed_by(&own, &issuer.unwrap()).unwrap();
        [vec![below.der().clone()], leaf.clone()].concat()
    };
    let attempts = [
        ("no certificate", None),
        ("one that has ended", Some(Shown::new(expired, &own))),
        (
            "one that is signed by itself",
            Some(Shown::new(vec![of_caller().self_signed(&own).unwrap().der().clone()], &own)),
        ),
        ("one of somebody else, without its key", Some(Shown::new(leaf, &key()))),
        ("one that another app has signed", Some(Shown::new(below, &own))),
    ];
    for (what, shown) in attempts {
        assert_eq!(invoke(port, shown, "hello").await, None, "{what}");
    }
    assert_eq!(invoke(port, shown(CALLER), "hello").await, Some(Code::Ok));
    assert!(app.bodies("/secret/plans").is_empty());
}

fn rustls_key(key: &KeyPair) -> rustls_pki_types::PrivateKeyDer<'static> {
    rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap()
}

fn request(token: &str) -> SignCertificateRequest {
    let request = CertificateParams::default().serialize_request(&key()).unwrap().pem().unwrap();
    SignCertificateRequest {
        id: "caller".to_owned(),
        namespace: "default".to_owned(),
        token: token.to_owned(),
        token_validator: TokenValidator::Jwks.into(),
        certificate_signing_request: request.into(),
        ..Default::default()
    }
}

async fn sign(sentry: &Sentry, request: SignCertificateRequest) -> Result<Bytes, Status> {
    let channel = connect(sentry.port, None).await.unwrap();
    let answer = CaClient::new(channel).sign_certificate(request).await?;
    Ok(answer.into_inner().workload_certificate)
}

fn signing_key() -> SigningKey {
    SigningKey::from_der(&generate_rsa().unwrap(), "RS256", None).unwrap()
}

fn claims(change: Value) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let sentry = "spiffe://localhost/ns/default/dapr-sentry";
    let mut claims = json!({"sub": CALLER, "aud": [sentry], "iat": now, "nbf": now, "exp": now + 3600});
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn unsigned(algorithm: &str, key: &SigningKey) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(json!({"alg": algorithm, "typ": "JWT", "kid": key.id()})), part(claims(json!({}))))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_proves_nothing_gets_no_certificate() {
    let (ours, theirs) = (signing_key(), signing_key());
    let set = json!({"keys": [ours.public()]}).to_string();
    let validators = json!([{"name": "jwks", "options": {"source": set}}]);
    let sentry =
        Wish { mtls: json!({"enabled": true, "tokenValidators": validators}), ..Wish::default() }.start().await;
    let signed = |key: &SigningKey, change| key.sign(&claims(change)).unwrap();
    let good = signed(&ours, json!({}));
    sign(&sentry, request(&good)).await.unwrap();

    let named_alike = SigningKey::from_der(&generate_rsa().unwrap(), "RS256", Some(ours.id())).unwrap();
    let (head, rest) = good.split_once('.').unwrap();
    let swapped = format!("{head}.{}", rest.replacen(|letter: char| letter != '.', "A", 1));
    let bad = [
        ("no token", String::new()),
        ("no algorithm", unsigned("none", &ours)),
        ("no algorithm, by another spelling", unsigned("nOnE", &ours)),
        ("no signature", unsigned("RS256", &ours)),
        ("the key of a stranger", signed(&theirs, json!({}))),
        ("the key of a stranger, with a known name", signed(&named_alike, json!({}))),
        ("changed claims", swapped),
        ("another audience", signed(&ours, json!({"aud": ["spiffe://other/ns/default/dapr-sentry"]}))),
        ("no audience", signed(&ours, json!({"aud": []}))),
        ("another app", signed(&ours, json!({"sub": "spiffe://public/ns/default/other"}))),
        ("a time that is over", signed(&ours, json!({"exp": 1_000_000_000}))),
        ("a time to come", signed(&ours, json!({"nbf": 9_000_000_000_u64}))),
        ("no token at all", "junk".to_owned()),
    ];
    let attempts = u64::try_from(bad.len()).unwrap();
    for (what, token) in bad {
        let refused = sign(&sentry, request(&token)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{what}: {refused}");
    }
    let insecure = SignCertificateRequest { token_validator: TokenValidator::Insecure.into(), ..request(&good) };
    assert_eq!(sign(&sentry, insecure).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(sentry.counted(r#"cert_sign_failure_total{reason="sign"}"#).await, attempts + 1);
    // What has been used once proves the same again, but for nobody else.
    sign(&sentry, request(&good)).await.unwrap();
    let other = SignCertificateRequest { id: "other".to_owned(), ..request(&good) };
    assert_eq!(sign(&sentry, other).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(sentry.signed().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn sentry_takes_neither_huge_nor_broken_requests() {
    let sentry = Sentry::start().await;
    let with = |csr: Vec<u8>| SignCertificateRequest {
        token_validator: TokenValidator::Insecure.into(),
        certificate_signing_request: csr.into(),
        ..request("")
    };
    let pem = |bytes: &[u8]| foundation_credentials::pem("CERTIFICATE REQUEST", bytes).into_bytes();
    for csr in [b"junk".to_vec(), pem(&[0x30; 50_000]), pem(&[0xff; 1000]), pem(b"")] {
        assert_eq!(sign(&sentry, with(csr)).await.unwrap_err().code(), Code::InvalidArgument);
    }
    for length in [200 << 10, 16 << 20] {
        assert!(sign(&sentry, with(vec![b'a'; length])).await.is_err(), "{length}");
    }
    assert_eq!(sentry.counted(r#"cert_sign_failure_total{reason="sign"}"#).await, 6, "each is counted");
    sign(&sentry, SignCertificateRequest { token_validator: 0, ..request("") }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_the_identity_of_sentry() {
    let sentry = Sentry::start().await;
    let of = |id: &str| SignCertificateRequest {
        id: id.to_owned(),
        trust_domain: "localhost".to_owned(),
        token_validator: TokenValidator::Insecure.into(),
        ..request("")
    };
    assert_eq!(sign(&sentry, of("dapr-sentry")).await.unwrap_err().code(), Code::PermissionDenied);
    sign(&sentry, of("dapr-placement")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_taken_out_of_the_set_proves_nothing() {
    let keys = tempfile::NamedTempFile::new().unwrap();
    let publish = |key: &SigningKey| std::fs::write(keys.path(), json!({"keys": [key.public()]}).to_string()).unwrap();
    let old = signing_key();
    let new = SigningKey::from_der(&generate_rsa().unwrap(), "RS256", Some(old.id())).unwrap();
    publish(&old);
    let validators = json!([{"name": "jwks", "options": {"source": keys.path()}}]);
    let sentry =
        Wish { mtls: json!({"enabled": true, "tokenValidators": validators}), ..Wish::default() }.start().await;
    let is_signed =
        async |key: &SigningKey| sign(&sentry, request(&key.sign(&claims(json!({}))).unwrap())).await.is_ok();
    assert!(is_signed(&old).await && !is_signed(&new).await);
    publish(&new);
    until("the old key proves nothing", async || !is_signed(&old).await).await;
    assert!(is_signed(&new).await);
}

/// Connections that are no handshakes, as fast as the machine makes them. Returns how many were neither served nor refused in time.
async fn pester(port: u16, turns: usize) -> usize {
    let mut ignored = 0;
    for turn in 0..turns {
        match turn % 3 {
            0 => drop(TcpStream::connect(("127.0.0.1", port)).await),
            1 => {
                if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await {
                    // A record of TLS that holds no hello.
                    stream.write_all(&[22, 3, 1, 0, 5, 9, 9, 9, 9, 9]).await.ok();
                }
            }
            _ => {
                let answered = timeout(PATIENCE, invoke(port, Some(stranger()), "hello")).await;
                ignored += usize::from(answered.is_err());
            }
        }
    }
    ignored
}

fn stranger() -> Shown {
    let key = key();
    Shown::new(vec![of_caller().self_signed(&key).unwrap().der().clone()], &key)
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_handshakes_without_number_harm_nobody() {
    const TURNS: usize = 600;
    let names = tempfile::tempdir().unwrap();
    let app = App::start(&[]).await;
    let sentry = Sentry::start().await;
    let callee = sentry.sidecar("callee", Some(app.port), names.path()).start().await;
    let caller = sentry.sidecar("caller", None, names.path()).start().await;
    until("the callee is found", async || caller.call("callee", "hello").await.is_ok()).await;
    let signed = sentry.signed().await;
    let pests = async {
        tokio::join!(
            pester(callee.internal_port, TURNS),
            pester(sentry.port, TURNS),
            pester(callee.internal_port, TURNS),
            pester(sentry.port, TURNS)
        )
    };
    tokio::pin!(pests);
    let (mut ignored, mut calls) = (None, 0);
    while ignored.is_none() || calls < 100 {
        tokio::select! {
            biased;
            called = caller.call("callee", "hello") => {
                called.unwrap_or_else(|why| panic!("call {calls} failed, pests are over: {}: {why}", ignored.is_some()));
                calls += 1;
            }
            each = &mut pests, if ignored.is_none() => ignored = Some(each),
        }
    }
    assert_eq!(ignored, Some((0, 0, 0, 0)), "pests that were neither served nor refused in time");
    until("certificates are renewed all the same", async || sentry.signed().await > signed + 2).await;
    let refused = 2 * TURNS / 3;
    until("sentry has counted them", async || {
        usize::try_from(sentry.counted("handshake_failure_total").await).unwrap() >= refused
    })
    .await;
    until("the callee has counted them", async || {
        callee.counted("runtime_mtls_handshake_fail_total{").await >= refused
    })
    .await;
    caller.call("callee", "hello").await.unwrap();
}
