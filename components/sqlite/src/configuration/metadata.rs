//! Metadata of `configuration.sqlite`.
use crate::metadata::{ConnectionMetadata, check_table_name};
use component_api::{Properties, Result, merged_schema};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;

/// Configuration items in a table of a SQLite file, which any program may write.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// How the database is reached.
    #[serde(skip)]
    pub connection: ConnectionMetadata,
    /// Table of the items, with the columns `key`, `value`, `version` and `metadata` (a JSON object of strings, or NULL).
    /// It is made where there is none.
    pub table_name: String,
    /// Table of what the component has to remember of its own.
    pub metadata_table_name: String,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            connection: ConnectionMetadata::default(),
            table_name: "configuration".to_owned(),
            metadata_table_name: "metadata".to_owned(),
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
