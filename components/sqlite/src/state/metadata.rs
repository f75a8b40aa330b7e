//! Metadata of `state.sqlite`.
use crate::metadata::{ConnectionMetadata, duration, table_name};
use component_api::{Properties, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// State in a SQLite file, which several sidecars of a machine can share.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    #[serde(flatten)]
    pub connection: ConnectionMetadata,
    /// Table of the entries.
    pub table_name: String,
    /// Table of what the component has to remember of its own.
    pub metadata_table_name: String,
    /// How often expired entries are removed; zero is never, though they cannot be read any more. Alias:
    /// `cleanupIntervalInSeconds`.
    #[schemars(with = "String")]
    pub cleanup_interval: Duration,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            connection: ConnectionMetadata::default(),
            table_name: "state".to_owned(),
            metadata_table_name: "metadata".to_owned(),
            cleanup_interval: Duration::ZERO,
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component; names are found without regard to case.
    ///
    /// # Errors
    /// A value that cannot be read, or no `connectionString`.
    pub fn read(properties: &Properties) -> Result<Self> {
        Ok(Self {
            connection: ConnectionMetadata::read(properties, ConnectionMetadata::default())?,
            table_name: table_name(properties, "tableName", "state")?,
            metadata_table_name: table_name(properties, "metadataTableName", "metadata")?,
            cleanup_interval: duration(properties, &["cleanupInterval", "cleanupIntervalInSeconds"], Duration::ZERO)?,
        })
    }
}
