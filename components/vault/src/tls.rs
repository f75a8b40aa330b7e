//! TLS as the metadata want it.
use crate::Metadata;
use component_api::{Error, Result};
use foundation_fetch::trust;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;

/// How the server's certificate is checked.
///
/// # Errors
/// Certificates that cannot be read.
pub(crate) fn configuration(metadata: &Metadata) -> Result<ClientConfig> {
    if metadata.skip_verify {
        return Ok(trust::anybody()?);
    }
    Ok(trust::only(roots(metadata)?)?)
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
        roots = trust::system();
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
    if trust::add(roots, pem) == 0 { Err(Error::invalid(format!("{place} has no certificate as PEM"))) } else { Ok(()) }
}
