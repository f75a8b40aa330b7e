//! Calls of a model's API, each with a deadline.
use bytes::Bytes;
use component_api::{Error, Kind, Result};
use foundation_fetch::{Error as Failure, Limits, trust};
use foundation_metadata::{GoDuration, Secret};
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use rustls::RootCertStore;
use serde::Deserialize;
use std::time::Duration;

/// Bytes of an answer.
const LIMIT: usize = 64 << 20;

/// One endpoint of an API.
#[derive(Debug)]
pub(crate) struct Client {
    http: foundation_fetch::Client,
    url: Uri,
    headers: HeaderMap,
}

impl Client {
    /// A client for that URL, which sends these headers with every call.
    ///
    /// # Errors
    /// A text that is no URL.
    pub(crate) fn new(url: &str, mut headers: HeaderMap, timeout: Duration) -> Result<Self> {
        let url: Uri =
            url.parse().map_err(|_| Error::invalid("endpoint is no URL: give one such as https://host/v1"))?;
        if !matches!(url.scheme_str(), Some("http" | "https")) {
            return Err(Error::invalid("endpoint must start with https:// or http://"));
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("trilby"));
        // Roots of trust are needed for TLS only.
        let roots = if url.scheme_str() == Some("https") { trust::system() } else { RootCertStore::empty() };
        let limits = Limits { patience: timeout, largest: LIMIT };
        Ok(Self { http: foundation_fetch::Client::new(trust::only(roots)?, limits), url, headers })
    }

    /// What the API answers to a JSON document.
    ///
    /// # Errors
    /// The API was not reached, refused, or took too long.
    pub(crate) async fn post(&self, body: Bytes) -> Result<Bytes> {
        let mut request = Request::new(body);
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        let answer = self.http.send(request).await.map_err(unanswered)?;
        if answer.status() == StatusCode::OK {
            Ok(answer.into_body())
        } else {
            Err(refusal(answer.status(), answer.body()))
        }
    }
}

fn unanswered(failure: Failure) -> Error {
    match failure {
        Failure::Late { patience, .. } => {
            let patience = GoDuration(patience);
            Error::new(Kind::Timeout, format!("request timeout: no answer of the API within {patience}"))
        }
        Failure::Unreached { host, reason } => {
            Error::new(Kind::Unavailable, format!("network error: failed to reach {host}: {reason}"))
        }
        other => other.into(),
    }
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
            let error = Client::new(wrong, HeaderMap::new(), Duration::from_secs(1)).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{wrong}");
        }
    }
}
