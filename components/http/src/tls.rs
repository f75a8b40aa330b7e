//! Connections to servers, with and without TLS.
use crate::Settings;
use bytes::Bytes;
use component_api::{Error, Result};
use foundation_tls::pem_fault;
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use std::time::Duration;

const DIAL_TIMEOUT: Duration = Duration::from_secs(15);

/// Connections that are kept for the next request.
pub(crate) type Client = Pool<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client that trusts and shows what the metadata says.
///
/// # Errors
/// A certificate or key that cannot be read.
pub(crate) fn client(settings: &Settings) -> Result<Client> {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(DIAL_TIMEOUT));
    connector.set_nodelay(true);
    connector.enforce_http(false);
    let tls = HttpsConnectorBuilder::new().with_tls_config(configuration(settings)?);
    let connector = tls.https_or_http().enable_all_versions().wrap_connector(connector);
    Ok(Pool::builder(TokioExecutor::new()).build(connector))
}

fn configuration(settings: &Settings) -> Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::other(format!("cannot set TLS up: {error}")))?;
    let builder = if settings.root_ca.is_empty() {
        builder.with_native_roots().map_err(|error| Error::other(format!("cannot read the system's roots: {error}")))?
    } else {
        builder.with_root_certificates(roots(&settings.root_ca)?)
    };
    if settings.client_certificate.is_empty() || settings.client_key.is_empty() {
        return Ok(builder.with_no_client_auth());
    }
    let certificates = certificates("mtlsClientCert", &settings.client_certificate)?;
    let key = key(settings.client_key.expose())?;
    let problem = |error| Error::invalid(format!("failed to load client certificate: {error}"));
    builder.with_client_auth_cert(certificates, key).map_err(problem)
}

fn roots(given: &str) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates("mtlsRootCA", given)?);
    if added == 0 {
        return Err(Error::invalid("failed to add root certificate: mtlsRootCA has no certificate that can be used"));
    }
    Ok(roots)
}

fn certificates(name: &str, given: &str) -> Result<Vec<CertificateDer<'static>>> {
    let text = text(name, given)?;
    let read = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<std::result::Result<_, _>>();
    read.map_err(|error| Error::invalid(format!("{name} has no valid PEM: {}", pem_fault(&error))))
}

fn key(given: &str) -> Result<PrivateKeyDer<'static>> {
    let text = text("mtlsClientKey", given)?;
    // The decoder's own words might quote the key.
    PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| Error::invalid("mtlsClientKey has no private key in PEM"))
}

/// PEM as it is, or what the file has.
fn text(name: &str, given: &str) -> Result<String> {
    if given.contains("-----BEGIN ") {
        return Ok(given.to_owned());
    }
    let refusal = format!("{name} is neither PEM nor the path of a file that can be read");
    std::fs::read_to_string(given).map_err(|error| Error::invalid(refusal).with_source(error))
}
