//! The token that callers of the API must show (surface.md 1.1).
use axum::extract::Request;
use http::{HeaderName, Method};
use std::fmt;

pub(crate) const HEADER: HeaderName = HeaderName::from_static("dapr-api-token");
/// Health is told to everybody.
const OPEN: [&str; 2] = ["v1.0/healthz", "v1.0/healthz/outbound"];

/// `DAPR_API_TOKEN`. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token as the environment has it.
    pub fn new(token: &str) -> Self {
        Self(token.to_owned())
    }

    /// Whether a request may pass. The token goes no further.
    pub(crate) fn admits(&self, request: &mut Request) -> bool {
        let shown = request.headers().get(HEADER).is_some_and(|value| self.is(value.as_bytes()));
        let admitted = shown || is_open(request);
        if admitted {
            request.headers_mut().remove(HEADER);
        }
        admitted
    }

    /// Compares in a time that does not tell where the difference is.
    pub(crate) fn is(&self, shown: &[u8]) -> bool {
        let own = self.0.as_bytes();
        let differences = own.iter().zip(shown).fold(0_u8, |all, (one, other)| all | (one ^ other));
        own.len() == shown.len() && differences == 0
    }
}

fn is_open(request: &Request) -> bool {
    *request.method() == Method::GET && OPEN.contains(&request.uri().path().trim_matches('/'))
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}
