//! The public keys of tokens over HTTP, as OpenID Connect publishes them (OIDC Discovery 1.0; protocols.md 5.4).
use crate::options::OidcOptions;
use crate::service::Signers;
use crate::tokens::Tokens;
use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, StatusCode};
use serde_json::json;
use std::sync::Arc;

const SCOPE: &str = "dapr.sentry.oidc";
const DISCOVERY: &str = "/.well-known/openid-configuration";
const KEY_SET: &str = "/jwks.json";
const FORWARDED_HOST: &str = "x-forwarded-host";
const ANY: &str = "*";

/// What the server answers from.
pub(crate) struct Oidc {
    pub(crate) options: OidcOptions,
    pub(crate) signers: Arc<ArcSwap<Signers>>,
}

/// Routes of the server.
pub(crate) fn routes(oidc: Oidc) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(oidc))
}

async fn answer(State(oidc): State<Arc<Oidc>>, request: Request) -> Response {
    let Some(document) = request.uri().path().strip_prefix(&oidc.options.prefix) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if document != DISCOVERY && document != KEY_SET {
        return StatusCode::NOT_FOUND.into_response();
    }
    let host = host(&request);
    if !oidc.allows(forwarded(request.headers()).unwrap_or(&host)) {
        tracing::warn!(target: SCOPE, "request for a host that is not allowed");
        return (StatusCode::FORBIDDEN, "Forbidden: unauthorized domain\n").into_response();
    }
    if request.method() != Method::GET {
        return (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed\n").into_response();
    }
    let signers = oidc.signers.load();
    match &signers.tokens {
        None => (StatusCode::NOT_FOUND, "JWKS not available\n").into_response(),
        Some(tokens) if document == KEY_SET => published(tokens.key_set().to_owned()),
        Some(tokens) => published(oidc.discovery(tokens, oidc.trusted_host(&request, &host))),
    }
}

impl Oidc {
    fn allows(&self, host: &str) -> bool {
        let allowed = &self.options.allowed_hosts;
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        allowed.is_empty() || allowed.iter().any(|allowed| allowed == ANY || allowed == host || allowed == name)
    }

    /// The host that the client means. What a proxy tells counts only if it had to be on a list.
    fn trusted_host<'a>(&self, request: &'a Request, host: &'a str) -> &'a str {
        let allowed = &self.options.allowed_hosts;
        let is_checked = !allowed.is_empty() && !allowed.iter().any(|allowed| allowed == ANY);
        forwarded(request.headers()).filter(|_| is_checked).unwrap_or(host)
    }

    fn discovery(&self, tokens: &Tokens, host: &str) -> String {
        let scheme = if self.options.tls.is_some() { "https" } else { "http" };
        let issuer = tokens.issuer().map_or_else(|| format!("{scheme}://{host}"), str::to_owned);
        let key_set = self.options.key_set_url.clone();
        let key_set = key_set.unwrap_or_else(|| format!("{}{}{KEY_SET}", origin(&issuer), self.options.prefix));
        json!({
            "issuer": issuer,
            "jwks_uri": key_set,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [tokens.algorithm()],
            "scopes_supported": ["openid"],
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nbf", "use"],
        })
        .to_string()
    }
}

/// Scheme and host of a URL.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |end| end + 3);
    let end = url[host..].find('/').map_or(url.len(), |end| host + end);
    &url[..end]
}

fn host(request: &Request) -> String {
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    authority.or(header).unwrap_or_default().to_owned()
}

fn forwarded(headers: &HeaderMap) -> Option<&str> {
    headers.get(FORWARDED_HOST).and_then(|host| host.to_str().ok()).filter(|host| !host.is_empty())
}

fn published(json: String) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=3600")], json).into_response()
}
