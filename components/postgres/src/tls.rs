//! TLS as the modes of PostgreSQL's connection strings want it.
mod verifier;

use crate::connection_string::TlsSettings;
use component_api::{Error, Result};
use foundation_tls::{AnyCertificate, pem_fault};
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use verifier::Verifier;

/// How TLS is asked for, and how it is made.
///
/// # Errors
/// An unknown mode, or a file that cannot be read.
pub(crate) fn prepare(settings: &TlsSettings) -> Result<(SslMode, MakeRustlsConnect)> {
    let has_roots = !settings.root_certificates.is_empty();
    let (mode, checks) = match settings.mode.as_str() {
        "disable" => (SslMode::Disable, Checks::Nothing),
        "" | "allow" | "prefer" => (SslMode::Prefer, Checks::Nothing),
        "require" if has_roots => (SslMode::Require, Checks::Issuer),
        "require" => (SslMode::Require, Checks::Nothing),
        "verify-ca" => (SslMode::Require, Checks::Issuer),
        "verify-full" => (SslMode::Require, Checks::IssuerAndName),
        other => return Err(Error::invalid(format!("sslmode '{other}' of the connection string is unknown"))),
    };
    Ok((mode, MakeRustlsConnect::new(client(settings, checks)?)))
}

/// How much of the server's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checks {
    Nothing,
    Issuer,
    IssuerAndName,
}

impl Checks {
    fn verifier(self, settings: &TlsSettings, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
        if self == Self::Nothing {
            return Ok(Arc::new(AnyCertificate(provider)));
        }
        let roots = match settings.root_certificates.as_str() {
            "" => roots_of_the_system(),
            path => roots_of(path)?,
        };
        Ok(Arc::new(Verifier::new(roots, self == Self::IssuerAndName, provider)?))
    }
}

fn client(settings: &TlsSettings, checks: Checks) -> Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = checks.verifier(settings, Arc::clone(&provider))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::other("preparing TLS").with_source(error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    if settings.certificate.is_empty() || settings.key.is_empty() {
        return Ok(builder.with_no_client_auth());
    }
    let key = PrivateKeyDer::from_pem_file(&settings.key).map_err(|error| no_pem(&settings.key, &error))?;
    let chain = certificates(&settings.certificate)?;
    builder.with_client_auth_cert(chain, key).map_err(|error| unreadable(&settings.certificate, error))
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    read.map_err(|error| no_pem(path, &error))
}

fn roots_of(path: &str) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(path)?);
    if roots.is_empty() { Err(Error::invalid(format!("{path} has no certificate"))) } else { Ok(roots) }
}

fn roots_of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn no_pem(path: &str, error: &pem::Error) -> Error {
    Error::invalid(format!("{path} cannot be read: {}", pem_fault(error)))
}

fn unreadable(path: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::invalid(format!("{path} cannot be read")).with_source(error)
}
