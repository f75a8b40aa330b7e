//! Sentry asks Kubernetes who has a token. The API server here is one of HTTPS that knows some pods.
mod api;
mod namespaces;
mod trust_bundle;

use crate::attacker::connect;
use crate::authority::Sentry;
use api::{ApiServer, BEARER};
use foundation_identity::id_of;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;
use tonic::{Code, Status};
use wire::sentry::v1::SignCertificateRequest;
use wire::sentry::v1::ca_client::CaClient;
use wire::sentry::v1::sign_certificate_request::TokenValidator;

/// A token as Kubernetes makes them, with the account in place of the signature.
fn token(pod: &str, account: &str) -> String {
    use base64::Engine;
    let claims = json!({"kubernetes.io": {"pod": {"name": pod}}}).to_string();
    format!("e30.{}.{account}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims))
}

/// The identity that sentry gives.
async fn ask(sentry: &Sentry, namespace: &str, id: &str, token: &str) -> Result<String, Status> {
    ask_by(sentry, namespace, id, token, TokenValidator::Kubernetes).await
}

async fn ask_by(
    sentry: &Sentry,
    namespace: &str,
    id: &str,
    token: &str,
    validator: TokenValidator,
) -> Result<String, Status> {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let request = SignCertificateRequest {
        id: id.to_owned(),
        namespace: namespace.to_owned(),
        token: token.to_owned(),
        // What is asked for here does not count.
        trust_domain: "mine.test".to_owned(),
        token_validator: validator.into(),
        certificate_signing_request: CertificateParams::default()
            .serialize_request(&key)
            .unwrap()
            .pem()
            .unwrap()
            .into(),
        ..Default::default()
    };
    let mut client = CaClient::new(connect(sentry.port, None).await.unwrap());
    let answer = client.sign_certificate(request).await?.into_inner();
    let leaf = CertificateDer::from_pem_slice(&answer.workload_certificate).unwrap();
    Ok(id_of(&leaf).unwrap().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_get_the_identity_that_kubernetes_vouches_for() {
    let api = ApiServer::start().await;
    let sentry = api.sentry(&[]).await;
    for (namespace, id, pod, account, identity) in [
        ("shop", "web", "web-0", "shop/web", "spiffe://shop.test/ns/shop/web"),
        ("shop", "plain", "plain-0", "shop/plain", "spiffe://public/ns/shop/plain"),
        ("shop", "bare-0", "bare-0", "shop/bare", "spiffe://public/ns/shop/bare-0"),
        (
            "dapr-system",
            "dapr-placement",
            "placement-0",
            "dapr-system/placement",
            "spiffe://cluster.test/ns/dapr-system/dapr-placement",
        ),
    ] {
        assert_eq!(ask(&sentry, namespace, id, &token(pod, account)).await.unwrap(), identity);
    }
    // It is the usual one here.
    let by_default = ask_by(&sentry, "shop", "web", &token("web-0", "shop/web"), TokenValidator::Unknown).await;
    assert_eq!(by_default.unwrap(), "spiffe://shop.test/ns/shop/web");
    let reviews = api.reviews();
    let audiences = json!(["dapr.io/sentry", "spiffe://cluster.test/ns/dapr-system/dapr-sentry"]);
    assert!(reviews.iter().all(|review| review["spec"]["audiences"] == audiences && review["kind"] == "TokenReview"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_get_no_other_identity() {
    let api = ApiServer::start().await;
    let sentry = api.sentry(&[]).await;
    for (namespace, id, token, word) in [
        ("shop", "web", String::new(), "does not contain a token"),
        ("shop", "web", token("web-0", ""), "authentication failed"),
        ("shop", "web", token("web-0", "error"), "the token has ended"),
        ("shop", "web", token("web-0", "user"), "not a properly structured"),
        ("shop", "web", token("web-0", "elsewhere"), "another audience"),
        ("shop", "other", token("web-0", "shop/web"), "app-id mismatch. expected: web, received: other"),
        ("other", "web", token("web-0", "shop/web"), "namespace mismatch"),
        ("shop", "web", token("web-0", "shop/plain"), "service account mismatch"),
        ("shop", "web", token("nowhere-0", "shop/web"), "failed to get pod"),
        ("shop", "web", token("web-0,metadata.name=x", "shop/web"), "failed to get pod"),
        ("shop", "web", token("", "shop/web"), "of no pod"),
        ("shop", "dapr-operator", token("fake-0", "shop/fake"), "is not allowed"),
        ("dapr-system", "dapr-kitchen", token("odd-0", "dapr-system/odd"), "unknown control plane service"),
        ("shop", &"a".repeat(65), token("web-0", "shop/web"), "64 characters or less"),
    ] {
        let refused = ask(&sentry, namespace, id, &token).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
        assert!(refused.message().contains(word), "{word}: {refused}");
    }
    for validator in [TokenValidator::Insecure, TokenValidator::Jwks] {
        let refused = ask_by(&sentry, "shop", "web", &token("web-0", "shop/web"), validator).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    assert_eq!(sentry.signed().await, 0);
}

/// Neither a server that anybody could be nor one that does not listen to sentry gives identities away.
#[tokio::test(flavor = "multi_thread")]
async fn sentry_trusts_no_other_api_server() {
    let (api, other) = (ApiServer::start().await, ApiServer::start().await);
    for (token, roots, told) in [("wrong", api.roots(), "status 403"), (BEARER, other.roots(), "certificate")] {
        let complaint = api.complaint(token, &roots).await;
        assert!(complaint.contains("couldn't find config name") && complaint.contains(told), "{complaint}");
    }
    assert!(api.reviews().is_empty());
}

/// A sentry that runs gives no identities away when the API refuses to review tokens.
#[tokio::test(flavor = "multi_thread")]
async fn without_reviews_there_are_no_identities() {
    let api = ApiServer::start().await;
    let sentry = api.sentry(&[]).await;
    api.refuse_reviews();
    let refused = ask(&sentry, "shop", "web", &token("web-0", "shop/web")).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::PermissionDenied, "token review failed"));
}
