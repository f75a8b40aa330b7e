//! TLS as the metadata want it.
use crate::Metadata;
use component_api::{Error, Result};
use foundation_tls::AnyCertificate;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::path::Path;
use std::sync::Arc;

/// How the server's certificate is checked.
///
/// # Errors
/// Certificates that cannot be read.
pub(crate) fn configuration(metadata: &Metadata) -> Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::other("cannot set TLS up").with_source(error))?;
    if metadata.skip_verify {
        let unchecked = builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)));
        return Ok(unchecked.with_no_client_auth());
    }
    Ok(builder.with_root_certificates(roots(metadata)?).with_no_client_auth())
}

fn roots(metadata: &Metadata) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if !metadata.ca_pem.is_empty() {
        add(&mut roots, "caPem", metadata.ca_pem.as_bytes())?;
    } else if !metadata.ca_path.is_empty() {
        add_folder(&mut roots, Path::new(&metadata.ca_path))?;
    } else if !metadata.ca_cert.is_empty() {
        add_file(&mut roots, Path::new(&metadata.ca_cert))?;
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok(roots)
}

fn add_folder(roots: &mut RootCertStore, folder: &Path) -> Result<()> {
    let unreadable =
        |error| Error::invalid(format!("couldn't read certificates at {}", folder.display())).with_source(error);
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_file() {
            add_file(roots, &path)?;
        }
    }
    Ok(())
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<()> {
    let unreadable = |error| Error::invalid(format!("couldn't read CA file {}", path.display())).with_source(error);
    add(roots, &path.to_string_lossy(), &std::fs::read(path).map_err(unreadable)?)
}

fn add(roots: &mut RootCertStore, place: &str, pem: &[u8]) -> Result<()> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(std::result::Result::ok).collect();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 { Err(Error::invalid(format!("{place} has no certificate as PEM"))) } else { Ok(()) }
}
