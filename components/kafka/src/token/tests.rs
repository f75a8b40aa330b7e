//! Tokens of an issuer on this machine.
use super::*;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::BTreeMap;
use std::future::{Future, Ready, ready};
use std::sync::Arc;
use tokio::net::TcpListener;

type Form = BTreeMap<String, String>;
/// What was asked: the header that says who asks, and the form.
type Asked = Arc<std::sync::Mutex<Vec<(String, Form)>>>;

/// An issuer that answers with `answer`, with status 401 if there is none. Returns its URL and what it was asked.
async fn issuer(answer: impl Fn(&str) -> Option<String> + Clone + Send + Sync + 'static) -> (String, Asked) {
    let asked = Asked::default();
    let noted = Arc::clone(&asked);
    let handle = move |headers: HeaderMap, body: String| -> Ready<(StatusCode, String)> {
        let header = headers.get("authorization").map_or("", |value| value.to_str().unwrap()).to_owned();
        let form = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let answered = answer(&header);
        noted.lock().unwrap().push((header, form));
        let status = if answered.is_some() { 200 } else { 401 };
        ready((StatusCode::from_u16(status).unwrap(), answered.unwrap_or_default()))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    spawn(async move { axum::serve(listener, Router::new().route("/token", post(handle))).await.unwrap() });
    (url, asked)
}

#[allow(clippy::disallowed_methods)] // It ends with the runtime of its test.
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

fn metadata(url: &str, auth_type: &str) -> SecurityMetadata {
    SecurityMetadata {
        auth_type: auth_type.to_owned(),
        oidc_token_endpoint: url.to_owned(),
        oidc_client_id: "me".to_owned(),
        oidc_client_secret: "very-secret".into(),
        oidc_scopes: "a,b".to_owned(),
        ..SecurityMetadata::default()
    }
}

fn text(token: &Token) -> &str {
    token.text.expose()
}

#[tokio::test]
async fn a_token_is_had_once() {
    let (url, asked) = issuer(|_| Some(r#"{"access_token":"t","expires_in":60}"#.to_owned())).await;
    let tokens = Tokens::new(&metadata(&url, "oidc")).unwrap().unwrap();
    let (first, second) = (tokens.token().await.unwrap(), tokens.token().await.unwrap());
    assert_eq!((text(&first), first.until), ("t", second.until));
    let asked = asked.lock().unwrap();
    let (header, form) = &asked[0];
    assert_eq!((asked.len(), header.as_str()), (1, "Basic bWU6dmVyeS1zZWNyZXQ="));
    assert_eq!(form["scope"], "a b");
    assert_eq!(form["grant_type"], "client_credentials");
    assert!(!form.contains_key("client_secret"));
}

#[tokio::test]
async fn a_token_that_is_nearly_over_is_had_anew() {
    let (url, asked) = issuer(|_| Some(r#"{"access_token":"t","expires_in":"1"}"#.to_owned())).await;
    let tokens = Tokens::new(&metadata(&url, "oidc")).unwrap().unwrap();
    while asked.lock().unwrap().len() < 2 {
        tokens.token().await.unwrap();
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_issuer_that_takes_parameters_only() {
    let answer = |header: &str| header.is_empty().then(|| r#"{"access_token":"t"}"#.to_owned());
    let (url, asked) = issuer(answer).await;
    let tokens = Tokens::new(&metadata(&url, "oidc")).unwrap().unwrap();
    assert_eq!(text(&tokens.token().await.unwrap()), "t");
    let asked = asked.lock().unwrap();
    assert_eq!((asked.len(), asked[1].1["client_secret"].as_str()), (2, "very-secret"));
}

#[tokio::test]
async fn what_is_refused_or_unusable() {
    let (url, _) = issuer(|_| None).await;
    let tokens = Tokens::new(&metadata(&url, "oidc")).unwrap().unwrap();
    let error = tokens.token().await.err().unwrap();
    assert_eq!(error.kind(), Kind::Denied);
    assert!(!format!("{error:?} {tokens:?}").contains("very-secret"));
    let (url, _) = issuer(|_| Some("no JSON with a token".to_owned())).await;
    let error = Tokens::new(&metadata(&url, "oidc")).unwrap().unwrap().token().await.err().unwrap();
    assert!(!format!("{error:?}").contains("with a token"), "{error}");
    assert!(Tokens::new(&metadata("", "password")).unwrap().is_none());
    assert!(Tokens::new(&metadata(&url, "oidc_private_key_jwt")).is_err(), "there is no key");
}

#[tokio::test]
async fn a_signed_assertion() {
    let (url, asked) = issuer(|_| Some(r#"{"access_token":"t"}"#.to_owned())).await;
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
    let metadata = SecurityMetadata {
        oidc_client_assertion_cert: "certificate".to_owned(),
        oidc_client_assertion_key: pem.into(),
        oidc_kid: "key".to_owned(),
        oidc_resource: "thing".to_owned(),
        ..metadata(&url, "oidc_private_key_jwt")
    };
    assert_eq!(text(&Tokens::new(&metadata).unwrap().unwrap().token().await.unwrap()), "t");
    let asked = asked.lock().unwrap();
    let form = &asked[0].1;
    assert_eq!((form["client_id"].as_str(), form["resource"].as_str()), ("me", "thing"));
    let (signed, signature) = form["client_assertion"].rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    public.verify(signed.as_bytes(), &signature).unwrap();
    let part = |place| -> serde_json::Value {
        let part = signed.split('.').nth(place).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!((&part(0)["kid"], &part(0)["alg"]), (&"key".into(), &"RS256".into()));
    assert_eq!((&part(1)["iss"], &part(1)["aud"]), (&"me".into(), &url.as_str().into()));
}
