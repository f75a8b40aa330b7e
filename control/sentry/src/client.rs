//! A client of the servers that have key sets.
use crate::error::Error;
use foundation_fetch::{Client, Limits, trust};
use foundation_tls::pem_fault;
use http::Request;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::time::Duration;

/// Largest key set in bytes.
const LARGEST: usize = 1 << 20;

/// `ca` is a certificate to trust beside those of the system, in PEM or in a file; it may be empty.
///
/// # Errors
/// A certificate that cannot be read.
pub(crate) fn client(ca: &str, deadline: Duration) -> Result<Client, Error> {
    let mut roots = trust::system();
    roots.add_parsable_certificates(given(ca)?);
    Ok(Client::new(trust::only(roots)?, Limits { patience: deadline, largest: LARGEST }))
}

/// What is behind a URL.
///
/// # Errors
/// Why there is no good answer, as text.
pub(crate) async fn get(client: &Client, url: &str) -> Result<Vec<u8>, String> {
    let request = Request::get(url).body(bytes::Bytes::new()).map_err(|error| error.to_string())?;
    Ok(client.send_for_success(request).await.map_err(|error| error.to_string())?.to_vec())
}

fn given(ca: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unreadable = |reason: String| Error::Unreadable { what: "the CA certificate of the jwks validator", reason };
    let pem = match ca.trim() {
        "" => return Ok(Vec::new()),
        text if text.starts_with("-----BEGIN") => text.as_bytes().to_vec(),
        path => std::fs::read(path).map_err(|error| unreadable(error.to_string()))?,
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    certificates.map_err(|error| unreadable(pem_fault(&error)))
}
