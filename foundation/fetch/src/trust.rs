//! Whose certificates are taken for good.
use crate::Error;
use foundation_tls::AnyCertificate;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::sync::Arc;

/// The roots of the system. There may be none, which is enough for servers without TLS.
pub fn system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Adds the certificates of a PEM text to roots, and returns how many there were. What is no certificate is passed over.
pub fn add(roots: &mut RootCertStore, pem: &[u8]) -> usize {
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).filter_map(Result::ok)).0
}

/// Settings of a client that trusts these roots and has no certificate of its own.
///
/// # Errors
/// What the library says of itself.
pub fn only(roots: RootCertStore) -> Result<ClientConfig, Error> {
    Ok(builder()?.with_root_certificates(roots).with_no_client_auth())
}

/// Settings of a client that takes any certificate.
///
/// # Errors
/// What the library says of itself.
pub fn anybody() -> Result<ClientConfig, Error> {
    let verifier = Arc::new(AnyCertificate(Arc::new(default_provider())));
    Ok(builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Settings in the making.
///
/// # Errors
/// What the library says of itself.
pub fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    let provider = Arc::new(default_provider());
    Ok(ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?)
}
