//! A client of the servers that have key sets.
use crate::error::Error;
use foundation_https::Client;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::time::Duration;

/// `ca` is a certificate to trust beside those of the system, in PEM or in a file; it may be empty.
///
/// # Errors
/// A certificate that cannot be read.
pub(crate) fn client(ca: &str, deadline: Duration) -> Result<Client, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(given(ca)?);
    let tls = foundation_https::tls()?.with_root_certificates(roots).with_no_client_auth();
    Ok(Client::new(tls, None, deadline)?)
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
