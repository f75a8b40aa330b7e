//! Tokens of an issuer of OAuth 2.0, by client credentials (RFC 6749, section 4.4).
mod assertion;

use crate::SCOPE;
use crate::metadata::{AuthType, SecurityMetadata};
use assertion::Assertion;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use component_api::{Error, Kind, Result, Secret};
use form_urlencoded::{Serializer, byte_serialize};
use foundation_fetch::Client;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Uri};
use serde::Deserialize;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Mutex, OnceCell};

/// How long a token is good if its issuer does not say.
const LIFETIME: Duration = Duration::from_secs(3600);
/// Which part of its lifetime a token has left when it is had anew.
const REST: u32 = 3;

/// Has tokens for all connections of a component.
pub(crate) struct Tokens {
    endpoint: Uri,
    client_id: String,
    proof: Proof,
    scopes: String,
    roots: String,
    is_unchecked: bool,
    http: OnceCell<Client>,
    latest: Mutex<Option<Token>>,
}

/// A token, and until when it is good.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: Secret,
    /// Milliseconds since 1970.
    pub(crate) until: i64,
    renewal: Instant,
}

/// How we prove to be the client.
enum Proof {
    Secret {
        secret: Secret,
        /// The issuer does not take it in a header.
        in_parameters: AtomicBool,
    },
    Assertion(Assertion),
}

/// The answer of the issuer.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    access_token: Secret,
    /// Seconds, as a number or as a text.
    #[serde(default)]
    expires_in: serde_json::Value,
}

impl Tokens {
    /// Prepares tokens for those kinds of authentication that need them.
    ///
    /// # Errors
    /// An endpoint or a key that cannot be used.
    pub(crate) fn new(metadata: &SecurityMetadata) -> Result<Option<Self>> {
        let proof = match metadata.auth()? {
            AuthType::Oidc => {
                Proof::Secret { secret: metadata.oidc_client_secret.clone(), in_parameters: AtomicBool::new(false) }
            }
            AuthType::OidcPrivateKeyJwt => Proof::Assertion(Assertion::new(metadata)?),
            _ => return Ok(None),
        };
        let endpoint = metadata.oidc_token_endpoint.parse::<Uri>();
        let endpoint = endpoint.map_err(|error| Error::invalid("oidcTokenEndpoint is no URL").with_source(error))?;
        Ok(Some(Self {
            endpoint,
            client_id: metadata.oidc_client_id.clone(),
            proof,
            scopes: scopes(&metadata.oidc_scopes),
            roots: metadata.ca_cert.clone(),
            is_unchecked: metadata.skip_verify,
            http: OnceCell::new(),
            latest: Mutex::default(),
        }))
    }

    /// A token that is good for a while.
    ///
    /// # Errors
    /// The issuer cannot be reached, or refuses.
    pub(crate) async fn token(&self) -> Result<Token> {
        let mut latest = self.latest.lock().await;
        if let Some(token) = latest.as_ref().filter(|token| token.renewal > Instant::now()) {
            return Ok(token.clone());
        }
        let token = self.request().await?;
        *latest = Some(token.clone());
        Ok(token)
    }

    /// Who the tokens are of.
    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    async fn request(&self) -> Result<Token> {
        let Proof::Secret { secret, in_parameters } = &self.proof else { return self.ask(&self.proof, true).await };
        let header_is_refused = in_parameters.load(Ordering::Relaxed);
        match self.ask(&self.proof, header_is_refused).await {
            Err(error) if error.kind() == Kind::Denied && !header_is_refused && !secret.is_empty() => {
                let token = self.ask(&self.proof, true).await?;
                in_parameters.store(true, Ordering::Relaxed);
                Ok(token)
            }
            answer => answer,
        }
    }

    async fn ask(&self, proof: &Proof, in_parameters: bool) -> Result<Token> {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        let mut request =
            Request::post(self.endpoint.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        match proof {
            Proof::Secret { secret, .. } if in_parameters => {
                form.append_pair("client_id", &self.client_id).append_pair("client_secret", secret.expose());
            }
            Proof::Secret { secret, .. } => request = request.header(AUTHORIZATION, self.basic(secret)?),
            Proof::Assertion(assertion) => assertion.add_to(&mut form)?,
        }
        form.append_pair("scope", &self.scopes);
        let request = request.body(Bytes::from(form.finish()));
        let request = request.map_err(|error| Error::invalid("oidcTokenEndpoint is no URL").with_source(error))?;
        let http = self.http.get_or_try_init(|| async { crate::http::client(&self.roots, self.is_unchecked) }).await?;
        let response = http.send(request).await?;
        if !response.status().is_success() {
            let status = response.status().as_u16();
            let advice = "check oidcClientID, its secret or key, and oidcScopes";
            return Err(Error::new(Kind::Denied, format!("token endpoint returned {status}; {advice}")));
        }
        Token::read(response.body())
    }

    fn basic(&self, secret: &Secret) -> Result<HeaderValue> {
        let escaped = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", escaped(&self.client_id), escaped(secret.expose()));
        let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
        let mut value = value.map_err(|_| Error::invalid("oidcClientSecret cannot be sent in a header"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl Token {
    /// The answer itself is never told: it may hold a token.
    fn read(answer: &[u8]) -> Result<Self> {
        let unusable = || Error::other("the answer of oidcTokenEndpoint has no access_token; check the URL");
        let answer: Answer = serde_json::from_slice(answer).map_err(|_| unusable())?;
        if answer.access_token.is_empty() || answer.access_token.expose().contains('\0') {
            return Err(unusable());
        }
        let seconds = answer.expires_in.as_u64().or_else(|| answer.expires_in.as_str()?.parse().ok());
        let lifetime = seconds.filter(|seconds| *seconds > 0).map_or(LIFETIME, Duration::from_secs).min(24 * LIFETIME);
        let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + lifetime;
        let until = i64::try_from(until.as_millis()).unwrap_or(i64::MAX);
        Ok(Self { text: answer.access_token, until, renewal: Instant::now() + lifetime - lifetime / REST })
    }
}

fn scopes(given: &str) -> String {
    if given.is_empty() {
        tracing::warn!(target: SCOPE, "kafka: no OIDC scopes are given, 'openid' is asked for; other services may take such a token too"
        );
        return "openid".to_owned();
    }
    given.split(',').collect::<Vec<_>>().join(" ")
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
