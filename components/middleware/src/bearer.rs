//! `middleware.http.bearer`: lets requests through that bring a good token of an OpenID Connect provider.
mod discovery;
mod keys;

use crate::client::Client;
use crate::descriptor::descriptor;
use crate::response::refusal;
use async_trait::async_trait;
use component_api::middleware::{Http, Next, Request, Response};
use component_api::{Error, Properties, Registry, Result, Status};
use foundation_jwt::Expected;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use keys::Keys;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

const SCHEME: &str = "bearer ";
/// A token cannot be shorter.
const SHORTEST: usize = 10;
const SKEW: Duration = Duration::from_secs(5 * 60);

/// Metadata of `middleware.http.bearer`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Metadata {
    /// Required. Who issues the tokens, as it is written in them: mostly a URL.
    #[serde(alias = "issuerURL")]
    pub issuer: String,
    /// Required. Who the tokens are for, mostly the id of a client.
    #[serde(alias = "clientID")]
    pub audience: String,
    /// Where the keys of the issuer are. Without it they are found by OpenID Connect discovery, at
    /// `/.well-known/openid-configuration` below the issuer.
    #[serde(rename = "jwksURL")]
    pub jwks_url: String,
}

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let summary = "Lets requests through that bring a good token of an OpenID Connect provider.";
    registry.middleware.add(descriptor::<Metadata>(&["http.bearer"], Status::Stable, summary), async |config| {
        Ok(Arc::new(Bearer::new(&config.properties).await?) as Arc<dyn Http>)
    });
}

struct Bearer {
    keys: Keys,
    expected: Expected,
}

impl Bearer {
    async fn new(properties: &Properties) -> Result<Self> {
        let Metadata { issuer, audience, jwks_url } = properties.decode()?;
        for (name, value) in [("issuer", &issuer), ("audience", &audience)] {
            if value.is_empty() {
                return Err(Error::invalid(format!("metadata property '{name}' is required")));
            }
        }
        let client = Client::new()?;
        let jwks_url = if jwks_url.is_empty() { discovery::jwks_url(&client, &issuer).await? } else { jwks_url };
        let expected = Expected { issuer: Some(issuer), audience: Some(audience), subject: None, skew: SKEW };
        Ok(Self { keys: Keys::fetch(client, jwks_url).await?, expected })
    }
}

#[async_trait]
impl Http for Bearer {
    async fn handle(&self, request: Request, next: Next<'_>) -> Response {
        match token(request.headers()) {
            Some(token) if self.keys.verify(token, &self.expected).await => next.run(request).await,
            _ => refusal(StatusCode::UNAUTHORIZED),
        }
    }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    (scheme.eq_ignore_ascii_case(SCHEME) && token.len() >= SHORTEST).then_some(token.trim())
}
