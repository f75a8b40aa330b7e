//! Calls over HTTP, of issuers of tokens and of schema registries: with deadlines and limits.
use bytes::Bytes;
use component_api::{Error, Kind, Result};
use foundation_tls::AnyCertificate;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Longest exchange.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest answer in bytes.
const LARGEST: usize = 16 << 20;

/// Sends requests over HTTP and HTTPS.
#[derive(Debug)]
pub(crate) struct Client(Pool<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Client {
    /// Trusts the roots of the system and those given as PEM, or any certificate at all.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub(crate) fn new(more_roots: &str, is_unchecked: bool) -> Result<Self> {
        let tls = tls(more_roots, is_unchecked)?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        Ok(Self(Pool::builder(TokioExecutor::new()).build(connector)))
    }

    /// The answer to a request, whatever its status.
    ///
    /// # Errors
    /// There is none.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let answered = timeout(PATIENCE, self.exchange(request.map(Full::new))).await;
        let answered = answered.map_err(|_| Error::new(Kind::Timeout, format!("{host} did not answer in time")))?;
        answered.map_err(|error| Error::new(Kind::Unavailable, format!("cannot call {host}")).with_source(error))
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> std::result::Result<Response<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
        let (parts, body) = self.0.request(request).await?.into_parts();
        let body = Limited::new(body, LARGEST).collect().await?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }
}

fn tls(more_roots: &str, is_unchecked: bool) -> Result<ClientConfig> {
    let provider = Arc::new(default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::other("cannot set up TLS").with_source(error))?;
    if is_unchecked {
        let unchecked = builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)));
        return Ok(unchecked.with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(more_roots.as_bytes()).filter_map(|it| it.ok()));
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
