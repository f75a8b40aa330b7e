//! Calls of a model's API, each with a deadline.
use bytes::Bytes;
use component_api::{Error, Kind, Result};
use foundation_metadata::{GoDuration, Secret};
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(15);
/// Bytes of an answer.
const LIMIT: usize = 64 << 20;

/// One endpoint of an API.
#[derive(Debug)]
pub(crate) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
    headers: HeaderMap,
    timeout: Duration,
}

impl Client {
    /// A client for that URL, which sends these headers with every call.
    ///
    /// # Errors
    /// A text that is no URL, or a system without root certificates.
    pub(crate) fn new(url: &str, mut headers: HeaderMap, timeout: Duration) -> Result<Self> {
        let url: Uri =
            url.parse().map_err(|_| Error::invalid("endpoint is no URL: give one such as https://host/v1"))?;
        if !matches!(url.scheme_str(), Some("http" | "https")) {
            return Err(Error::invalid("endpoint must start with https:// or http://"));
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("trilby"));
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.enforce_http(false);
        let tls = HttpsConnectorBuilder::new().with_tls_config(tls(url.scheme_str() == Some("https"))?);
        let connector = tls.https_or_http().enable_all_versions().wrap_connector(connector);
        Ok(Self { pool: Pool::builder(TokioExecutor::new()).build(connector), url, headers, timeout })
    }

    /// What the API answers to a JSON document.
    ///
    /// # Errors
    /// The API was not reached, refused, or took too long.
    pub(crate) async fn post(&self, body: Bytes) -> Result<Bytes> {
        let late = |_| {
            let patience = GoDuration(self.timeout);
            Error::new(Kind::Timeout, format!("request timeout: no answer of the API within {patience}"))
        };
        timeout(self.timeout, self.send(body)).await.map_err(late)?
    }

    async fn send(&self, body: Bytes) -> Result<Bytes> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        let host = self.url.host().unwrap_or_default();
        let unreached = |error: hyper_util::client::legacy::Error| {
            let cause = root_cause(&error);
            Error::new(Kind::Unavailable, format!("network error: failed to reach {host}: {cause}"))
        };
        let (head, body) = self.pool.request(request).await.map_err(unreached)?.into_parts();
        let broken = |error| Error::new(Kind::Unavailable, "cannot read the answer of the API").with_source(error);
        let body = Limited::new(body, LIMIT).collect().await.map_err(broken)?.to_bytes();
        if head.status == StatusCode::OK { Ok(body) } else { Err(refusal(head.status, &body)) }
    }
}

/// What the layers of a client only wrap, such as that a certificate is not trusted.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// The header of a key as most APIs want it.
///
/// # Errors
/// A key that cannot be in a header.
pub(crate) fn bearer(key: &Secret) -> Result<HeaderMap> {
    secret_header("authorization", &format!("Bearer {}", key.expose()).into())
}

/// A header that is never printed.
///
/// # Errors
/// A text that cannot be in a header.
pub(crate) fn secret_header(name: &'static str, text: &Secret) -> Result<HeaderMap> {
    let refusal = |_| Error::invalid("the key has characters that no header may have; check for line breaks");
    let mut value = HeaderValue::try_from(text.expose()).map_err(refusal)?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(HeaderName::from_static(name), value)]))
}

/// Roots of trust are needed for TLS only.
fn tls(needed: bool) -> Result<ClientConfig> {
    let failed = |error: &dyn std::fmt::Display| Error::other(format!("cannot set TLS up: {error}"));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| failed(&error))?;
    let builder = if needed {
        builder.with_native_roots().map_err(|error| failed(&error))?
    } else {
        builder.with_root_certificates(RootCertStore::empty())
    };
    Ok(builder.with_no_client_auth())
}

fn refusal(status: StatusCode, body: &[u8]) -> Error {
    let kind = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Kind::Denied,
        StatusCode::TOO_MANY_REQUESTS => Kind::RateLimited,
        StatusCode::NOT_FOUND => Kind::NotFound,
        status if status.is_server_error() => Kind::Unavailable,
        _ => Kind::Invalid,
    };
    let text = format!("API returned unexpected status code: {}", status.as_u16());
    let told = serde_json::from_slice::<Told>(body).ok().map(Told::message).filter(|message| !message.is_empty());
    Error::new(kind, told.map_or_else(|| text.clone(), |message| format!("{text}: {message}")))
}

/// Why an API refuses, in the forms that there are.
#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    Nested { error: Reason },
    Text { error: String },
    Plain(Reason),
}

#[derive(Deserialize)]
struct Reason {
    message: String,
}

impl Told {
    fn message(self) -> String {
        match self {
            Self::Nested { error } | Self::Plain(error) => error.message,
            Self::Text { error } => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_in_one_form() {
        for (status, body, kind, text) in [
            (429, r#"{"error":{"message":"slow down"}}"#, Kind::RateLimited, "429: slow down"),
            (401, r#"{"message":"no key"}"#, Kind::Denied, "401: no key"),
            (500, r#"{"error":"oops"}"#, Kind::Unavailable, "500: oops"),
            (400, "<html>", Kind::Invalid, "400"),
        ] {
            let error = refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes());
            assert_eq!(
                (error.kind(), error.to_string()),
                (kind, format!("API returned unexpected status code: {text}"))
            );
        }
    }

    #[test]
    fn endpoints_are_checked() {
        for wrong in ["", "localhost", "ftp://host", "http://ho st"] {
            let error = Client::new(wrong, HeaderMap::new(), CONNECT).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{wrong}");
        }
    }
}
