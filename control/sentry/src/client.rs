//! A client of HTTP and HTTPS: for key sets, and for the API of Kubernetes.
use crate::error::Error;
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Largest answer in bytes.
const LARGEST: usize = 1 << 20;

/// Sends requests, each with a deadline.
pub(crate) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    deadline: Duration,
}

impl Client {
    /// `ca` is a certificate to trust beside those of the system, in PEM or in a file; it may be empty.
    ///
    /// # Errors
    /// A certificate that cannot be read.
    pub(crate) fn new(ca: &str, deadline: Duration) -> Result<Self, Error> {
        Self::with(tls(ca)?, None, deadline)
    }

    /// With certain settings, and with the name that certificates of servers must be for if it is not that of the URL.
    ///
    /// # Errors
    /// A name that is none.
    pub(crate) fn with(tls: ClientConfig, name: Option<&str>, deadline: Duration) -> Result<Self, Error> {
        let mut builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        if let Some(name) = name {
            let parsed = ServerName::try_from(name.to_owned());
            let parsed = parsed.map_err(|_| Error::Configuration(format!("{name:?} is no name of a server")))?;
            builder = builder.with_server_name_resolver(FixedServerNameResolver::new(parsed));
        }
        let connector = builder.enable_http1().build();
        Ok(Self { pool: Pool::builder(TokioExecutor::new()).build(connector), deadline })
    }

    /// # Errors
    /// Why there is no answer with status 200, as text.
    pub(crate) async fn get(&self, url: &str) -> Result<Bytes, String> {
        let request = Request::get(url).body(Full::default()).map_err(|error| error.to_string())?;
        self.send(request).await
    }

    /// # Errors
    /// Why there is no answer with status 200 or 201, as text.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Bytes, String> {
        let url = shown(request.uri());
        let exchange = async {
            let (parts, body) = self.pool.request(request).await.map_err(|error| innermost(&error))?.into_parts();
            if !matches!(parts.status, StatusCode::OK | StatusCode::CREATED) {
                return Err(format!("{url} answered with status {}", parts.status.as_u16()));
            }
            let body = Limited::new(body, LARGEST).collect().await.map_err(|error| error.to_string())?;
            Ok(body.to_bytes())
        };
        timeout(self.deadline, exchange).await.map_err(|_| format!("{url} did not answer in time"))?
    }
}

/// Host and path. What is asked for is not shown, as it may be somebody's name, and who asks is not, as there may be a password.
fn shown(uri: &Uri) -> String {
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}{}", uri.host().unwrap_or_default(), uri.path())
}

/// Settings of TLS in the making.
///
/// # Errors
/// None but what the library says of itself.
pub(crate) fn tls_builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    let builder =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    Ok(builder.map_err(foundation_identity::Error::from)?)
}

fn tls(ca: &str) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(given(ca)?);
    Ok(tls_builder()?.with_root_certificates(roots).with_no_client_auth())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_shows_a_password_or_a_query() {
        let uri: Uri = "https://me:secret@keys.example:8443/set.json?token=secret".parse().unwrap();
        assert_eq!(shown(&uri), "keys.example:8443/set.json");
        assert_eq!(shown(&"http://keys.example/".parse().unwrap()), "keys.example/");
    }
}
