//! OpenID Connect Discovery 1.0: where the keys of an issuer are.
use crate::client::Client;
use component_api::{Error, Result};
use serde::Deserialize;

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    issuer: String,
    #[serde(default)]
    jwks_uri: String,
}

/// Asks the issuer, which must name itself exactly so.
pub(super) async fn jwks_url(client: &Client, issuer: &str) -> Result<String> {
    let failed =
        |error: Error| Error::new(error.kind(), "failed to retrieve OpenID Configuration document").with_source(error);
    let url = format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer));
    let document = client.get(&url).await.map_err(failed)?;
    let document: Document = serde_json::from_slice(document.body())
        .map_err(|error| Error::other(format!("the OpenID Configuration document is not as it should be: {error}")))?;
    if document.jwks_uri.is_empty() {
        return Err(Error::other("the OpenID Configuration document does not contain a 'jwks_uri'"));
    }
    if document.issuer != issuer {
        return Err(Error::invalid(format!(
            "the issuer found in the OpenID Configuration document ('{}') doesn't match the one provided in the component's metadata ('{issuer}')",
            document.issuer
        )));
    }
    Ok(document.jwks_uri)
}
