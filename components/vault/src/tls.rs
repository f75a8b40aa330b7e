//! TLS as the metadata want it.
use crate::Metadata;
use component_api::{Error, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
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
        let unchecked = builder.dangerous().with_custom_certificate_verifier(Arc::new(Unchecked(provider)));
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

/// Takes any certificate, if only the server has its key.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
