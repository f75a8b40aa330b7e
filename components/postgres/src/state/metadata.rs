//! Metadata of the state stores.
use crate::metadata::{ConnectionMetadata, check_name};
use component_api::{GoDuration, Properties, Result, merged_schema};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;
use std::time::Duration;

/// State in PostgreSQL, version 1.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MetadataV1 {
    #[serde(skip)]
    pub connection: ConnectionMetadata,
    /// Version 1: table of the entries, with its schema if need be.
    pub table_name: String,
    /// Table of what the component has to remember of its own.
    pub metadata_table_name: String,
    /// How often expired entries are removed; zero is never, though they cannot be read any more. Alias:
    /// `cleanupIntervalInSeconds`.
    #[serde(alias = "cleanupIntervalInSeconds")]
    pub cleanup_interval: GoDuration,
}

/// State in PostgreSQL, version 2.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MetadataV2 {
    #[serde(skip)]
    pub connection: ConnectionMetadata,
    /// Version 2: what the name of the table, `state`, begins with: a schema and a dot, or a prefix.
    pub table_prefix: String,
    /// Table of what the component has to remember of its own.
    pub metadata_table_name: String,
    /// How often expired entries are removed; zero is never, though they cannot be read any more. Alias:
    /// `cleanupIntervalInSeconds`.
    #[serde(alias = "cleanupIntervalInSeconds")]
    pub cleanup_interval: GoDuration,
}

const METADATA_TABLE: &str = "dapr_metadata";
const CLEANUP: Duration = Duration::from_secs(3600);

impl Default for MetadataV1 {
    fn default() -> Self {
        let connection = ConnectionMetadata::default();
        let (table_name, metadata_table_name) = ("state".to_owned(), METADATA_TABLE.to_owned());
        Self { connection, table_name, metadata_table_name, cleanup_interval: CLEANUP.into() }
    }
}

impl Default for MetadataV2 {
    fn default() -> Self {
        let (connection, metadata_table_name) = (ConnectionMetadata::default(), METADATA_TABLE.to_owned());
        Self { connection, table_prefix: String::new(), metadata_table_name, cleanup_interval: CLEANUP.into() }
    }
}

impl MetadataV1 {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read.
    pub fn read(properties: &Properties) -> Result<Self> {
        let read = Self { connection: ConnectionMetadata::read(properties)?, ..properties.decode()? };
        check_name(&read.table_name)?;
        check_name(&read.metadata_table_name)?;
        Ok(read)
    }

    /// The schema of both versions.
    pub(super) fn schema_of_all() -> Schema {
        merged_schema(schema_for!(Self), &[MetadataV2::schema()])
    }
}

impl MetadataV2 {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read.
    pub fn read(properties: &Properties) -> Result<Self> {
        let read = Self { connection: ConnectionMetadata::read(properties)?, ..properties.decode()? };
        check_name(&read.table_prefix)?;
        check_name(&read.metadata_table_name)?;
        Ok(read)
    }

    pub(super) fn schema() -> Schema {
        merged_schema(schema_for!(Self), &[schema_for!(ConnectionMetadata)])
    }
}
