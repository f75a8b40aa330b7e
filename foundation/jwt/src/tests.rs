//! Tokens of all algorithms, and those that must not be trusted.
use super::*;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA512, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Makes signatures over messages.
type Signer = Box<dyn Fn(&[u8]) -> Vec<u8>>;

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn token(header: &Value, claims: &Value, sign: &Signer) -> String {
    let message = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
    format!("{message}.{}", base64(sign(message.as_bytes())))
}

fn elliptic(algorithm: &'static EcdsaSigningAlgorithm, curve: &str) -> (Value, Signer) {
    let pair = EcdsaKeyPair::generate(algorithm).unwrap();
    let point = pair.public_key().as_ref()[1..].to_vec();
    let (x, y) = point.split_at(point.len() / 2);
    let key = json!({ "kty": "EC", "kid": "k", "crv": curve, "x": base64(x), "y": base64(y) });
    (key, Box::new(move |message| pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()))
}

fn edwards() -> (Value, Signer) {
    let pair = Ed25519KeyPair::generate().unwrap();
    let key = json!({ "kty": "OKP", "kid": "k", "crv": "Ed25519", "x": base64(pair.public_key()) });
    (key, Box::new(move |message| pair.sign(message).as_ref().to_vec()))
}

fn rsa(padding: &'static dyn aws_lc_rs::signature::RsaEncoding) -> (Value, Signer) {
    let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    assert!(!AsDer::as_der(pair.public_key()).unwrap().as_ref().is_empty());
    let parts = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
    let key = json!({ "kty": "RSA", "kid": "k", "n": base64(parts.n), "e": base64(parts.e) });
    let sign = move |message: &[u8]| {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    };
    (key, Box::new(sign))
}

fn set(key: &Value) -> KeySet {
    KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()
}

fn expected() -> Expected {
    let text = |text: &str| Some(text.to_owned());
    Expected { issuer: text("me"), audience: text("you"), subject: text("it"), skew: Duration::from_secs(300) }
}

fn claims() -> Value {
    json!({ "iss": "me", "aud": ["others", "you"], "sub": "it", "exp": 2_000, "nbf": 1_000.5, "iat": 1_000 })
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn all_kinds_of_keys_are_understood() {
    for (algorithm, (key, sign)) in [
        ("ES256", elliptic(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")),
        ("ES384", elliptic(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")),
        ("ES512", elliptic(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521")),
        ("EdDSA", edwards()),
        ("RS256", rsa(&RSA_PKCS1_SHA256)),
        ("PS512", rsa(&RSA_PSS_SHA512)),
    ] {
        let good = token(&json!({ "alg": algorithm, "kid": "k" }), &claims(), &sign);
        let found = set(&key).verify_at(&good, &expected(), at(1_500));
        assert_eq!(found.unwrap().subject.as_deref(), Some("it"), "{algorithm}");
        let (message, _) = good.rsplit_once('.').unwrap();
        let forged = format!("{message}.{}", base64(sign(b"something else")));
        assert_eq!(set(&key).verify_at(&forged, &expected(), at(1_500)), Err(Error::Signature), "{algorithm}");
    }
}

#[test]
fn the_key_decides_on_the_algorithm() {
    let (key, sign) = edwards();
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &public);
    let confused: Signer = Box::new(move |message| aws_lc_rs::hmac::sign(&secret, message).as_ref().to_vec());
    for (algorithm, sign) in [("HS256", &confused), ("none", &sign), ("RS256", &sign), ("eddsa", &sign)] {
        let token = token(&json!({ "alg": algorithm, "kid": "k" }), &claims(), sign);
        assert_eq!(set(&key).verify_at(&token, &expected(), at(1_500)), Err(Error::Algorithm), "{algorithm}");
    }
    let mut narrow = key;
    narrow["alg"] = json!("ES256");
    let token = token(&json!({ "alg": "EdDSA", "kid": "k" }), &claims(), &sign);
    assert_eq!(set(&narrow).verify_at(&token, &expected(), at(1_500)), Err(Error::Algorithm));
}

#[test]
fn a_token_names_a_key_that_is_there() {
    let (key, sign) = edwards();
    for (header, error) in [
        (json!({ "alg": "EdDSA" }), Error::NoKey),
        (json!({ "alg": "EdDSA", "kid": "" }), Error::NoKey),
        (json!({ "alg": "EdDSA", "kid": "other" }), Error::UnknownKey),
        (json!({ "alg": "EdDSA", "kid": "k", "crit": ["b64"] }), Error::Header),
        (json!({ "kid": "k" }), Error::Header),
    ] {
        let token = token(&header, &claims(), &sign);
        assert_eq!(set(&key).verify_at(&token, &expected(), at(1_500)), Err(error), "{header}");
    }
    for token in ["", "a", "a.b", "..", "a.b.c.d"] {
        assert!(set(&key).verify_at(token, &expected(), at(1_500)).is_err(), "{token}");
    }
}

#[test]
fn claims_say_what_is_expected() {
    let (key, sign) = edwards();
    let set = set(&key);
    let check = |claims: &Value, seconds: u64| {
        let token = token(&json!({ "alg": "EdDSA", "kid": "k" }), claims, &sign);
        set.verify_at(&token, &expected(), at(seconds)).map(|_| ())
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    assert_eq!(check(&claims(), 2_299), Ok(()));
    assert_eq!(check(&claims(), 2_300), Err(Error::Expired));
    assert_eq!(check(&claims(), 701), Ok(()));
    assert_eq!(check(&claims(), 700), Err(Error::Early));
    assert_eq!(check(&with("exp", Value::Null), 9_000), Ok(()));
    assert_eq!(check(&with("aud", json!("you")), 1_500), Ok(()));
    assert_eq!(check(&with("aud", json!("them")), 1_500), Err(Error::Audience));
    assert_eq!(check(&with("iss", json!("you")), 1_500), Err(Error::Issuer));
    assert_eq!(check(&with("sub", json!("that")), 1_500), Err(Error::Subject));
    assert_eq!(check(&with("iat", json!(9_000)), 1_500), Err(Error::Early));
    assert_eq!(check(&with("exp", json!("soon")), 1_500), Err(Error::Claims));
}

#[test]
fn keys_of_other_kinds_are_left_out() {
    let (mut encrypting, sign) = edwards();
    encrypting["use"] = json!("enc");
    let foreign = json!({ "kty": "AKP", "kid": "k", "pub": "x" });
    let set = KeySet::parse(json!({ "keys": [foreign, encrypting] }).to_string().as_bytes()).unwrap();
    let token = token(&json!({ "alg": "EdDSA", "kid": "k" }), &claims(), &sign);
    assert_eq!(set.verify_at(&token, &expected(), at(1_500)), Err(Error::UnknownKey));
    assert!(matches!(KeySet::parse(b"{}"), Err(Error::KeySet(_))));
}

const MEMBERS: [&str; 10] = ["kty", "kid", "alg", "use", "crv", "x", "y", "n", "e", "k"];
const VALUES: [&str; 14] =
    ["RSA", "EC", "OKP", "oct", "k", "RS256", "ES512", "HS256", "P-256", "P-521", "Ed25519", "AQAB", "", "!"];

fn member() -> impl Strategy<Value = (String, Value)> {
    let value =
        prop_oneof![select(&VALUES[..]).prop_map(Value::from), any::<i64>().prop_map(Value::from), Just(json!([]))];
    (select(&MEMBERS[..]).prop_map(str::to_owned), value)
}

proptest! {
    #[test]
    fn any_key_set_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100), keys in prop::collection::vec(prop::collection::vec(member(), 0..8), 0..3)) {
        KeySet::parse(&bytes).ok();
        let keys: Vec<_> = keys.into_iter().map(|members| Value::Object(members.into_iter().collect())).collect();
        let set = KeySet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap();
        for algorithm in VALUES {
            let header = json!({"alg": algorithm, "kid": "k"}).to_string();
            let token = format!("{}.{}.{}", base64(header), base64("{}"), base64([0; 132]));
            prop_assert!(set.verify(&token, &Expected::default()).is_err());
        }
    }

    #[test]
    fn no_text_is_a_token_by_chance(text in "[a-zA-Z0-9._=-]{0,80}|\\PC{0,30}", header in "\\PC{0,30}", claims in "\\PC{0,30}") {
        let (key, _) = edwards();
        let set = KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).unwrap();
        for token in [text, format!("{}.{}.", base64(header), base64(claims))] {
            prop_assert!(set.verify(&token, &Expected::default()).is_err());
        }
    }
}
