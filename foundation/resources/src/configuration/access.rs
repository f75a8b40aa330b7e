//! Who may do what: API, secrets, components, calls from other apps.
use crate::common::DynamicValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which parts of the API are there. With any `allowed` of a protocol, nothing else of it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Api {
    /// What is there.
    pub allowed: Vec<ApiAccessRule>,
    /// What is not there.
    pub denied: Vec<ApiAccessRule>,
}

/// A part of the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ApiAccessRule {
    /// Name of the part, such as `state`.
    pub name: String,
    /// Version, such as `v1.0` or `v1`.
    pub version: String,
    /// `http` or `grpc`.
    pub protocol: String,
}

/// Which secrets may be read, store by store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Secrets {
    /// One for each store at most.
    pub scopes: Vec<SecretScope>,
}

/// Which secrets of a store may be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SecretScope {
    /// Name of the secret store component.
    pub store_name: String,
    /// `allow` (also when empty) or `deny`.
    pub default_access: String,
    /// When there are any, no others may be read.
    pub allowed_secrets: Vec<String>,
    /// These may not be read.
    pub denied_secrets: Vec<String>,
}

/// Which components are not to be loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DeniedComponents {
    /// Types (`state.redis`) or types with versions (`state.redis/v1`).
    pub deny: Vec<String>,
}

/// Which apps may invoke this one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct AccessControl {
    /// `allow` or `deny`, for apps that no policy names.
    pub default_action: String,
    /// Trust domain of this app; `public` when empty.
    pub trust_domain: String,
    /// Policies by app.
    pub policies: Vec<AppPolicy>,
}

/// What an app may invoke.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct AppPolicy {
    /// Id of the app. Required.
    pub app_id: String,
    /// `allow` or `deny`, for what no operation names.
    pub default_action: String,
    /// Trust domain of the app. Required.
    pub trust_domain: String,
    /// Namespace of the app. Required.
    pub namespace: String,
    /// What may or may not be invoked.
    pub operations: Vec<Operation>,
}

/// What may or may not be invoked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Operation {
    /// Path, with `*` and `**` for parts of it.
    pub name: String,
    /// HTTP methods; `*` is all.
    pub http_verb: Vec<String>,
    /// `allow` or `deny`.
    pub action: String,
}

/// Identities of sidecars, as sentry gives them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Mtls {
    /// Whether sidecars have identities.
    pub enabled: Option<bool>,
    /// Life of a certificate; 24 hours when empty.
    #[serde(rename = "workloadCertTTL")]
    pub workload_cert_ttl: String,
    /// How far clocks may differ; 15 minutes when empty.
    pub allowed_clock_skew: String,
    /// Address of sentry.
    pub sentry_address: String,
    /// Trust domain of the control plane.
    pub control_plane_trust_domain: String,
    /// How sentry checks who asks for an identity.
    pub token_validators: Vec<TokenValidator>,
}

/// A way to check who asks for an identity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TokenValidator {
    /// `kubernetes`, `insecure` or `jwks`.
    pub name: String,
    /// Its settings.
    pub options: DynamicValue,
}

impl DeniedComponents {
    pub(super) fn denies(&self, kind: &str, version: &str) -> bool {
        let full = format!("{kind}/{version}");
        self.deny.iter().any(|denied| denied.eq_ignore_ascii_case(kind) || denied.eq_ignore_ascii_case(&full))
    }
}

impl SecretScope {
    /// Whether a secret may be read.
    pub fn allows(&self, secret: &str) -> bool {
        let names = |list: &[String]| list.iter().any(|name| name == secret);
        if !self.allowed_secrets.is_empty() {
            return names(&self.allowed_secrets);
        }
        !names(&self.denied_secrets) && !self.default_access.eq_ignore_ascii_case("deny")
    }
}
