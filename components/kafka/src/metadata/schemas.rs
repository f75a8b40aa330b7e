//! Metadata of the schema registry.
use component_api::{GoDuration, Secret};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Where the schemas of values are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SchemaMetadata {
    /// Where the schema registry is. Requests and subscriptions with `valueSchemaType: Avro` need it.
    #[serde(rename = "schemaRegistryURL")]
    pub schema_registry_url: String,
    /// Name of its user.
    #[serde(rename = "schemaRegistryAPIKey")]
    pub schema_registry_api_key: String,
    /// Password of its user.
    #[serde(rename = "schemaRegistryAPISecret")]
    pub schema_registry_api_secret: Secret,
    /// Schemas are kept once they were read.
    pub schema_caching_enabled: bool,
    /// How long the latest schema of a topic is taken for the latest.
    #[serde(rename = "schemaLatestVersionCacheTTL")]
    pub schema_latest_version_cache_ttl: GoDuration,
    /// Values of unions are written with their types, as Avro's own JSON has them.
    #[serde(rename = "useAvroJSON")]
    pub use_avro_json: bool,
}

impl Default for SchemaMetadata {
    fn default() -> Self {
        Self {
            schema_registry_url: String::new(),
            schema_registry_api_key: String::new(),
            schema_registry_api_secret: Secret::default(),
            schema_caching_enabled: true,
            schema_latest_version_cache_ttl: Duration::from_secs(300).into(),
            use_avro_json: false,
        }
    }
}
