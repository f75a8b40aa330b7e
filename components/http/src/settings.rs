//! Metadata of `bindings.http`.
use component_api::{ByteSize, GoDuration, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// Calls of an HTTP server.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// URL that is called; metadata `path` of a request is appended to it.
    pub url: String,
    /// Whether an answer that is no success fails the operation; metadata of the same name decides for one request.
    #[serde(rename = "errorIfNot2XX")]
    pub error_if_not_2xx: bool,
    /// Longest time for an answer; no limit unless given.
    pub response_timeout: Option<GoDuration>,
    /// How much of the body of an answer is read, once it is decompressed; zero is all of it.
    pub max_response_body_size: ByteSize,
    /// Certificate authorities for the server, in PEM or as the path of a file, in place of those of the system.
    #[serde(rename = "mtlsRootCA")]
    pub root_ca: String,
    /// Certificate of the client, in PEM or as the path of a file.
    #[serde(rename = "mtlsClientCert")]
    pub client_certificate: String,
    /// Private key of the client, in PEM or as the path of a file.
    #[serde(rename = "mtlsClientKey")]
    pub client_key: Secret,
    /// TLS renegotiation: `RenegotiateNever`, `RenegotiateOnceAsClient` or `RenegotiateFreelyAsClient`. It is never
    /// done, as TLS 1.3 has none.
    #[serde(rename = "mtlsRenegotiation")]
    pub renegotiation: Renegotiation,
    /// Token that is sent with every request in `securityTokenHeader`.
    pub security_token: Secret,
    /// Name of the header for `securityToken`.
    pub security_token_header: String,
}

/// When the handshake may be repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Renegotiation {
    #[default]
    #[serde(rename = "RenegotiateNever")]
    Never,
    #[serde(rename = "RenegotiateOnceAsClient")]
    OnceAsClient,
    #[serde(rename = "RenegotiateFreelyAsClient")]
    FreelyAsClient,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: String::new(),
            error_if_not_2xx: true,
            response_timeout: None,
            max_response_body_size: ByteSize(100 << 20),
            root_ca: String::new(),
            client_certificate: String::new(),
            client_key: Secret::default(),
            renegotiation: Renegotiation::default(),
            security_token: Secret::default(),
            security_token_header: String::new(),
        }
    }
}
