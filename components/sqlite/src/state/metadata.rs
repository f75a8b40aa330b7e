//! Metadata of `state.sqlite`.
use crate::metadata::{ConnectionMetadata, check_table_name};
use component_api::{GoDuration, Properties, Result, merged_schema};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;
use std::time::Duration;

/// State in a SQLite file, which several sidecars of a machine can share.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// How the database is reached.
    #[serde(skip)]
    pub connection: ConnectionMetadata,
    /// Table of the entries.
    pub table_name: String,
    /// Table of what the component has to remember of its own.
    pub metadata_table_name: String,
    /// How often expired entries are removed; zero is never, though they cannot be read any more. Alias:
    /// `cleanupIntervalInSeconds`.
    #[serde(alias = "cleanupIntervalInSeconds")]
    pub cleanup_interval: GoDuration,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            connection: ConnectionMetadata::default(),
            table_name: "state".to_owned(),
            metadata_table_name: "metadata".to_owned(),
            cleanup_interval: Duration::ZERO.into(),
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read, or no `connectionString`.
    pub fn read(properties: &Properties) -> Result<Self> {
        let read = Self { connection: ConnectionMetadata::read(properties)?, ..properties.decode()? };
        check_table_name(&read.table_name)?;
        check_table_name(&read.metadata_table_name)?;
        Ok(read)
    }

    pub(super) fn schema() -> Schema {
        merged_schema(schema_for!(Self), &[schema_for!(ConnectionMetadata)])
    }
}
