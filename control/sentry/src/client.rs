//! A client that fetches key sets over HTTP and HTTPS.
use crate::error::Error;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
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

/// Largest answer in bytes.
const LARGEST: usize = 1 << 20;

/// Fetches what is at a URL.
pub(crate) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    deadline: Duration,
}

impl Client {
    /// `ca` is a certificate to trust beside those of the system, in PEM or in a file; it may be empty.
    ///
    /// # Errors
    /// A certificate that cannot be read.
    pub(crate) fn new(ca: &str, deadline: Duration) -> Result<Self, Error> {
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls(ca)?).https_or_http().enable_http1().build();
        Ok(Self { pool: Pool::builder(TokioExecutor::new()).build(connector), deadline })
    }

    /// # Errors
    /// Why there is no answer with status 200, as text.
    pub(crate) async fn get(&self, url: &str) -> Result<Bytes, String> {
        let request = Request::get(url).body(Empty::new()).map_err(|error| error.to_string())?;
        let exchange = async {
            let (parts, body) = self.pool.request(request).await.map_err(|error| innermost(&error))?.into_parts();
            if parts.status != StatusCode::OK {
                return Err(format!("{url} answered with status {}", parts.status.as_u16()));
            }
            let body = Limited::new(body, LARGEST).collect().await.map_err(|error| error.to_string())?;
            Ok(body.to_bytes())
        };
        timeout(self.deadline, exchange).await.map_err(|_| format!("{url} did not answer in time"))?
    }
}

fn tls(ca: &str) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(given(ca)?);
    let builder =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let builder = builder.map_err(foundation_identity::Error::from)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn given(ca: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unreadable = |reason: String| Error::Unreadable { what: "the CA certificate of the jwks validator", reason };
    let pem = match ca.trim() {
        "" => return Ok(Vec::new()),
        text if text.starts_with("-----BEGIN") => text.as_bytes().to_vec(),
        path => std::fs::read(path).map_err(|error| unreadable(error.to_string()))?,
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    certificates.map_err(|error| unreadable(error.to_string()))
}

/// The reason behind the layers of a client.
fn innermost(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map(ToString::to_string).unwrap_or_default()
}
