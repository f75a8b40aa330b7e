//! HTTP clients for what is no app, with TLS where the URL says so.
use super::secure::{self, Connector};
use axum::body::Body;
use foundation_tls::pem_fault;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client as Pooled};
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const DIAL_TIMEOUT: Duration = Duration::from_secs(15);
/// The library takes no more than 100 by itself.
const MOST_HEADERS: usize = 512;

/// Certificates for an endpoint.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// PEM certificates of which one has to have issued the server's; without any those of the system count.
    pub root_ca: Option<String>,
    /// PEM certificates and PEM key that the server is shown.
    pub identity: Option<(String, String)>,
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientTls")
    }
}

/// Certificates that cannot be used. Never shows a key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidTls {
    #[error("failed to add root cert to cert pool: {0}")]
    Root(String),
    #[error("failed to load client certificate: {0}")]
    Identity(String),
    #[error("failed to set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

/// A client that keeps its connections.
#[derive(Clone, Debug)]
pub(crate) struct Client(Pooled<Connector, Body>);

impl Client {
    /// A client for `http` and `https` that uses these certificates.
    pub(crate) fn new(tls: &ClientTls) -> Result<Self, InvalidTls> {
        Ok(Self(pool().build(secure::connector(connector(), config(tls)?))))
    }
}

/// The clients for URLs and for endpoints without certificates of their own.
#[derive(Debug)]
pub(crate) struct Clients {
    plain: Pooled<HttpConnector, Body>,
    /// Made when it is first used, as it holds all root certificates of the system.
    secure: OnceLock<Client>,
}

impl Default for Clients {
    fn default() -> Self {
        Self { plain: pool().build(connector()), secure: OnceLock::new() }
    }
}

impl Clients {
    /// Sends a request with an absolute URI, by the given client if there is one. The error is the reason in words.
    pub(crate) async fn request(&self, own: Option<&Client>, request: Request<Body>) -> Result<Response<Body>, String> {
        if let Some(port) = impossible_port(request.uri()) {
            return Err(format!("dial tcp: address {port}: invalid port"));
        }
        let response = match own {
            Some(client) => client.0.request(request).await,
            None if request.uri().scheme() == Some(&Scheme::HTTPS) => {
                let client = self.secure().map_err(|error| error.to_string())?;
                client.0.request(request).await
            }
            None => self.plain.request(request).await,
        };
        Ok(response.map_err(|error| reason(&error))?.map(Body::new))
    }

    fn secure(&self) -> Result<&Client, InvalidTls> {
        match self.secure.get() {
            Some(client) => Ok(client),
            None => {
                let client = Client::new(&ClientTls::default())?;
                Ok(self.secure.get_or_init(|| client))
            }
        }
    }
}

/// The port of a URL that is beyond all ports, which the library takes for none at all.
fn impossible_port(uri: &Uri) -> Option<&str> {
    let (_, port) = uri.authority()?.as_str().rsplit_once(':')?;
    let is_possible = port.is_empty() || port.ends_with(']') || port.parse::<u16>().is_ok();
    (!is_possible).then_some(port)
}

fn pool() -> Builder {
    let mut builder = Pooled::builder(TokioExecutor::new());
    builder.http1_max_headers(MOST_HEADERS);
    builder
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(DIAL_TIMEOUT));
    connector
}

/// Rustls knows nothing below TLS 1.2, and no renegotiation.
fn config(tls: &ClientTls) -> Result<ClientConfig, InvalidTls> {
    let builder =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(roots(tls.root_ca.as_deref())?);
    let Some((certificates, key)) = &tls.identity else { return Ok(builder.with_no_client_auth()) };
    let invalid = |error: rustls::pki_types::pem::Error| InvalidTls::Identity(pem_fault(&error));
    let chain =
        CertificateDer::pem_slice_iter(certificates.as_bytes()).collect::<Result<Vec<_>, _>>().map_err(invalid)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(invalid)?;
    builder.with_client_auth_cert(chain, key).map_err(|error| InvalidTls::Identity(error.to_string()))
}

fn roots(pem: Option<&str>) -> Result<RootCertStore, InvalidTls> {
    let mut roots = RootCertStore::empty();
    let Some(pem) = pem else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| InvalidTls::Root(pem_fault(&error)))?;
        roots.add(certificate).map_err(|error| InvalidTls::Root(error.to_string()))?;
    }
    if roots.is_empty() { Err(InvalidTls::Root("there is none in the text".to_owned())) } else { Ok(roots) }
}

/// Why a request failed, in the words of Go's client where tests and users know them.
fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = || std::iter::successors(Some(error), |error| error.source());
    match causes().find_map(of_tls) {
        Some(rustls::Error::InvalidCertificate(problem)) => {
            format!("tls: failed to verify certificate: x509: {problem:?}")
        }
        Some(rustls::Error::AlertReceived(alert)) => format!("remote error: tls: {alert:?}"),
        Some(other) => format!("tls: {other}"),
        None => causes().last().map(ToString::to_string).unwrap_or_default(),
    }
}

/// The TLS error that an error is or wraps; errors of input and output may wrap each other.
fn of_tls<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.downcast_ref().or_else(|| of_tls(wrapped?))
}
