//! Where guests come from.
use crate::client::Client;
use component_api::{Error, Result};

/// The bytes of the guest at a URL.
pub(super) async fn load(url: &str) -> Result<Vec<u8>> {
    match url.split_once(':') {
        _ if url.is_empty() => Err(Error::invalid("url is missing; it tells where the guest is")),
        Some(("file", path)) => read(path.strip_prefix("//").unwrap_or(path)).await,
        Some(("http" | "https", _)) => Ok(Client::new()?.get(url).await?.into_body().to_vec()),
        Some(("oci", _)) => Err(Error::invalid("guests in OCI images are not supported; use file:// or https://")),
        _ => Err(Error::invalid(format!("{url} is no URL of a guest; use file://, http:// or https://"))),
    }
}

async fn read(path: &str) -> Result<Vec<u8>> {
    tokio::fs::read(path).await.map_err(|error| Error::invalid(format!("cannot read the guest {path}: {error}")))
}
