//! Metadata of `state.redis`.
use crate::metadata::ConnectionMetadata;
use component_api::{Properties, Result, merged_schema};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;

/// How the server is reached, and what the store does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    pub connection: ConnectionMetadata,
    pub own: StateMetadata,
}

/// State in Redis: one server, a cluster, or a master behind sentinels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StateMetadata {
    /// Seconds that entries live whose request says nothing of it.
    pub ttl_in_seconds: Option<u32>,
    /// Indexes that queries use, as JSON: `[{"name": "people", "indexes": [{"key": "person.org", "type": "TEXT"}]}]`. A key
    /// names a member of the values, a dot goes into a member; types are `TEXT` (words), `NUMERIC`, and `TAG` (texts as a
    /// whole, true and false). They have entries that are saved with the metadata `contentType` `application/json`, on servers
    /// with the modules RedisJSON and RediSearch; a query names its index in the metadata `queryIndexName`.
    pub query_indexes: String,
}

impl Metadata {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read, or no `redisHost`.
    pub fn read(properties: &Properties) -> Result<Self> {
        Ok(Self { connection: ConnectionMetadata::read(properties)?, own: properties.decode()? })
    }

    pub(super) fn schema() -> Schema {
        merged_schema(schema_for!(StateMetadata), &[schema_for!(ConnectionMetadata)])
    }
}
