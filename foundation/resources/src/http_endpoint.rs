//! HTTPEndpoint v1alpha1: a server outside that is invoked by a name (surface.md 3.6).
use crate::common::{Auth, DynamicValue, NameValue, ObjectMeta, Resource, SecretKeyRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A server outside that is invoked by a name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HttpEndpoint {
    /// Name and namespace.
    pub metadata: ObjectMeta,
    /// How it is reached.
    pub spec: HttpEndpointSpec,
    /// Where its secrets are.
    pub auth: Auth,
    /// Ids of the apps that may invoke it; empty is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// How a server is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpEndpointSpec {
    /// URL that paths are appended to. Required.
    pub base_url: String,
    /// Headers of every request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<NameValue>,
    /// Certificates.
    #[serde(rename = "clientTLS", skip_serializing_if = "Option::is_none")]
    pub client_tls: Option<Tls>,
}

/// Certificates for a connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Tls {
    /// PEM certificates that the server's has to come from.
    #[serde(rename = "rootCA", skip_serializing_if = "Option::is_none")]
    pub root_ca: Option<TlsDocument>,
    /// PEM certificate of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<TlsDocument>,
    /// PEM key of the client's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<TlsDocument>,
    /// `Never` (also when empty), `OnceAsClient` or `FreelyAsClient`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub renegotiation: String,
}

/// A PEM text: written out, or a reference to a secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TlsDocument {
    /// The text itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<DynamicValue>,
    /// A secret that holds the text. It wins over `value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
}

impl Resource for HttpEndpoint {
    const KIND: &'static str = "HTTPEndpoint";
    const API_VERSIONS: &'static [&'static str] = &["dapr.io/v1alpha1"];

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn scopes(&self) -> &[String] {
        &self.scopes
    }
}
