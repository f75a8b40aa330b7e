//! Metadata of `configuration.postgresql`.
use crate::metadata::{ConnectionMetadata, check_name};
use component_api::{Error, Properties, Result, merged_schema};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;

/// Configuration in a PostgreSQL table, whose trigger tells of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    #[serde(skip)]
    pub connection: ConnectionMetadata,
    /// Table of the items, in lower case.
    pub table: String,
    /// Channel that the table's trigger notifies. Alias: `pgNotifyChannel`.
    #[serde(alias = "pgNotifyChannel")]
    pub notify_channel: String,
}

impl Metadata {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read, or no `table`.
    pub fn read(properties: &Properties) -> Result<Self> {
        let read = Self { connection: ConnectionMetadata::read(properties)?, ..properties.decode()? };
        if read.table.is_empty() {
            return Err(Error::invalid("missing postgreSQL configuration table name: set table"));
        }
        check_name(&read.table)?;
        check_name(&read.notify_channel)?;
        Ok(read)
    }

    pub(super) fn schema() -> Schema {
        merged_schema(schema_for!(Self), &[schema_for!(ConnectionMetadata)])
    }
}
