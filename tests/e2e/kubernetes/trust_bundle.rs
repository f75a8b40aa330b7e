//! Sentry keeps its credentials in Dapr's secret, and tells everybody the roots in a config map.
use super::api::{ApiServer, BEARER, CONFIG_MAP, SECRET};
use super::{ask, token};
use crate::wait::until;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foundation_credentials::{Credentials, Lifetimes};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const HOUR: Duration = Duration::from_secs(3600);

/// A secret with credentials of a Dapr sentry, and what does not concern sentry.
fn secret() -> (Credentials, Value) {
    let lifetimes = Lifetimes { workload: HOUR, skew: HOUR, root: HOUR * 24 };
    let sentry = "spiffe://cluster.test/ns/dapr-system/dapr-sentry".parse().unwrap();
    let credentials = Credentials::generate(&sentry, lifetimes, SystemTime::now()).unwrap();
    let data = json!({
        "ca.crt": STANDARD.encode(&credentials.ca), "issuer.crt": STANDARD.encode(&credentials.issuer_certificate),
        "issuer.key": STANDARD.encode(&credentials.issuer_key), "other": "b3RoZXI=",
    });
    (credentials, json!({"kind": "Secret", "metadata": {"name": "dapr-trust-bundle"}, "data": data}))
}

fn decoded(api: &ApiServer, key: &str) -> String {
    String::from_utf8(STANDARD.decode(api.entry(SECRET, key).unwrap()).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_made_once_and_found_again() {
    let api = ApiServer::start().await;
    let first = api.sentry(&["--jwt-enabled"]).await;
    assert_eq!(first.counted("issuercert_changed_total").await, 1);
    let (ca, key_set) = (decoded(&api, "ca.crt"), decoded(&api, "jwks.json"));
    assert!(decoded(&api, "issuer.key").contains("PRIVATE KEY") && decoded(&api, "jwt.key").contains("PRIVATE KEY"));
    assert!(decoded(&api, "issuer.crt").contains("CERTIFICATE"));
    assert_eq!(api.entry(CONFIG_MAP, "ca.crt").as_ref(), Some(&ca));
    assert_eq!(api.entry(CONFIG_MAP, "jwks.json").as_ref(), Some(&key_set));
    assert_eq!(api.world().objects[SECRET]["metadata"]["labels"]["app"], "x");
    assert!(!first.roots().exists());
    let writes = api.world().writes;
    let second = api.sentry(&["--jwt-enabled"]).await;
    for sentry in [&first, &second] {
        ask(sentry, "shop", "plain", &token("plain-0", "shop/plain")).await.unwrap();
    }
    assert_eq!((decoded(&api, "ca.crt"), api.world().writes), (ca, writes));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_used_and_only_what_is_missing_is_added() {
    let api = ApiServer::start().await;
    let (credentials, secret) = secret();
    api.put(SECRET, secret);
    let _plain = api.sentry(&[]).await;
    assert_eq!(api.entry(CONFIG_MAP, "ca.crt"), Some(credentials.ca.clone()));
    assert_eq!(api.entry(SECRET, "jwt.key"), None);
    let _with_tokens = api.sentry(&["--jwt-enabled"]).await;
    assert_eq!(decoded(&api, "issuer.key"), credentials.issuer_key);
    assert!(decoded(&api, "jwks.json").contains("keys"));
    assert_eq!(api.entry(SECRET, "other").as_deref(), Some("b3RoZXI="));
}

/// The file of the mounted secret tells that there are other credentials; they are read from the API.
#[tokio::test(flavor = "multi_thread")]
async fn changed_credentials_are_taken_when_the_mounted_secret_tells() {
    let api = ApiServer::start().await;
    let sentry = api.sentry(&[]).await;
    let (credentials, secret) = secret();
    api.put(SECRET, secret);
    std::fs::write(sentry.roots(), &credentials.ca).unwrap();
    until("the new credentials are in use", async || sentry.counted("issuercert_changed_total").await == 2).await;
    ask(&sentry, "shop", "plain", &token("plain-0", "shop/plain")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sentries_that_make_credentials_the_quicker_one_counts() {
    let api = ApiServer::start().await;
    let (credentials, secret) = secret();
    api.world().quicker.insert(SECRET.to_owned(), secret);
    let _sentry = api.sentry(&[]).await;
    assert_eq!(decoded(&api, "ca.crt"), credentials.ca);
    assert_eq!(api.entry(CONFIG_MAP, "ca.crt"), Some(credentials.ca));
}

/// Takes away what is needed.
type Spoil = fn(&ApiServer);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_may_not_be_written_is_named() {
    let cases: [(&str, Spoil); 6] = [
        ("failed to get trust bundle secret", |api| drop(api.world().objects.remove(SECRET))),
        ("failed to get trust bundle configmap", |api| drop(api.world().objects.remove(CONFIG_MAP))),
        ("failed to update trust bundle secret", |api| api.world().read_only.push(SECRET.to_owned())),
        ("failed to update trust bundle configmap", |api| api.world().read_only.push(CONFIG_MAP.to_owned())),
        ("issuer.key is missing", |api| {
            let (_, mut secret) = secret();
            secret["data"].as_object_mut().unwrap().remove("issuer.key");
            api.put(SECRET, secret);
        }),
        ("ca.crt is no text in base64", |api| {
            let (_, mut secret) = secret();
            secret["data"]["ca.crt"] = json!("?");
            api.put(SECRET, secret);
        }),
    ];
    for (told, spoil) in cases {
        let api = ApiServer::start().await;
        spoil(&api);
        let complaint = api.complaint(BEARER, &api.roots()).await;
        assert!(complaint.contains(told), "{told}: {complaint}");
    }
}
