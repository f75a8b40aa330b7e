//! HTTPEndpoint resources with certificates of their own.
use crate::world::{get, http_app, json_of, serve, sidecar};
use block_invoke::{ClientTls, HttpEndpoint, Service};
use component_api::middleware::Pipeline;
use foundation_drain::Drain;
use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A certificate authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
struct Leaf {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn issue(&self) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        Leaf { certificate: params.signed_by(&key, &self.0).unwrap(), key }
    }
}

impl Leaf {
    fn identity(&self) -> Option<(String, String)> {
        Some((self.certificate.pem(), self.key.serialize_pem()))
    }
}

/// A server that only talks to clients with a certificate of the authority; returns its URL.
async fn serve_tls(authority: &Authority) -> String {
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let Leaf { certificate, key } = authority.issue();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_client_cert_verifier(clients).with_single_cert(vec![certificate.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    Drain::new().spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let service = TowerToHyperService::new(http_app());
            Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await.ok();
        }
    });
    format!("https://localhost:{port}")
}

fn with_endpoint(base_url: String, tls: ClientTls) -> Arc<Service> {
    let endpoint = HttpEndpoint { base_url, tls: Some(tls), ..HttpEndpoint::default() };
    with_endpoints([("secure".to_owned(), endpoint)])
}

fn with_endpoints<const N: usize>(endpoints: [(String, HttpEndpoint); N]) -> Arc<Service> {
    let service = Arc::into_inner(sidecar("golden", 0, None)).unwrap();
    Arc::new(service.with_endpoints(BTreeMap::from(endpoints), Pipeline::default()))
}

async fn refusal(service: &Arc<Service>) -> String {
    let response = get(service, "/v1.0/invoke/secure/method/m").await;
    assert_eq!(response.status(), 500);
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn an_endpoint_is_called_with_its_certificates() {
    let authority = Authority::new();
    let tls = ClientTls { root_ca: Some(authority.pem()), identity: authority.issue().identity() };
    let service = with_endpoint(serve_tls(&authority).await, tls);
    assert_eq!(json_of(get(&service, "/v1.0/invoke/secure/method/m").await).await["path"], "/m");
}

#[tokio::test]
async fn certificates_of_others_are_refused_on_both_sides() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let url = serve_tls(&authority).await;
    let tls = ClientTls { root_ca: Some(stranger.pem()), identity: authority.issue().identity() };
    let refused = refusal(&with_endpoint(url.clone(), tls)).await;
    assert!(refused.contains("tls: failed to verify certificate"), "{refused}");
    let tls = ClientTls { root_ca: Some(authority.pem()), identity: stranger.issue().identity() };
    let refused = refusal(&with_endpoint(url, tls)).await;
    assert!(refused.contains("ERR_DIRECT_INVOKE"), "{refused}");
}

#[tokio::test]
async fn an_endpoint_with_unusable_certificates_fails_alone() {
    let (one, other) = (Authority::new().issue(), Authority::new().issue());
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".to_owned();
    let of_root = |root: &str| ClientTls { root_ca: Some(root.to_owned()), identity: None };
    let of_identity = |certificate, key| ClientTls { root_ca: None, identity: Some((certificate, key)) };
    for (tls, reason) in [
        (of_root(&garbage), "failed to add root cert to cert pool"),
        (of_root(""), "failed to add root cert to cert pool"),
        (of_identity(one.certificate.pem(), String::new()), "failed to load client certificate"),
        (of_identity(one.certificate.pem(), other.key.serialize_pem()), "failed to load client certificate"),
    ] {
        let base_url = format!("http://127.0.0.1:{}", serve(http_app()).await);
        let good = HttpEndpoint { base_url, ..HttpEndpoint::default() };
        let bad = HttpEndpoint { tls: Some(tls), ..good.clone() };
        let service = with_endpoints([("good".to_owned(), good), ("secure".to_owned(), bad)]);
        let refused = refusal(&service).await;
        assert!(refused.contains("the TLS settings of secure are unusable"), "{refused}");
        assert_eq!(refused.matches(reason).count(), 1, "{refused}");
        assert_eq!(json_of(get(&service, "/v1.0/invoke/good/method/m").await).await["path"], "/m");
    }
}

#[tokio::test]
async fn a_server_that_is_silent_in_tls_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let service = sidecar("golden", 0, None);
    let path = format!("/v1.0/invoke/https://127.0.0.1:{port}/method/m");
    let silence = async {
        let _connection = silent.accept().await.unwrap();
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(60)).await;
    };
    let (response, ()) = tokio::join!(get(&service, &path), silence);
    assert_eq!(response.status(), 500);
    let message = json_of(response).await["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("/m\": net/http: TLS handshake timeout"), "{message}");
}

#[tokio::test]
async fn ports_beyond_all_ports_are_refused() {
    let service = sidecar("golden", 0, None);
    for url in ["http://127.0.0.1:99999", "https://[::1]:99999"] {
        let response = get(&service, &format!("/v1.0/invoke/{url}/method/m")).await;
        assert_eq!(response.status(), 500);
        let message = json_of(response).await["message"].as_str().unwrap().to_owned();
        assert!(message.ends_with("dial tcp: address 99999: invalid port"), "{message}");
    }
}

#[tokio::test]
async fn a_header_of_an_endpoint_is_not_its_host() {
    let address = format!("127.0.0.1:{}", serve(http_app()).await);
    let header = |name, value| (HeaderName::from_static(name), HeaderValue::from_static(value));
    let headers = vec![header("host", "elsewhere"), header("x-own", "1")];
    let endpoint = HttpEndpoint { base_url: format!("http://{address}"), headers, tls: None };
    let service = with_endpoints([("plain".to_owned(), endpoint)]);
    let told = json_of(get(&service, "/v1.0/invoke/plain/method/m").await).await;
    assert_eq!((&told["headers"]["host"], &told["headers"]["x-own"]), (&json!(address), &json!("1")));
}
