//! Configuration of the name resolver.
use crate::metadata::{ConnectionMetadata, duration, table_name};
use component_api::{Error, Properties, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Sidecars of a machine that find each other by a SQLite file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    #[serde(flatten)]
    pub connection: ConnectionMetadata,
    /// Table of the sidecars.
    pub table_name: String,
    /// Table of what the component has to remember of its own.
    pub metadata_table_name: String,
    /// A sidecar that has not shown itself for so long counts as gone; whole seconds, and at least one more than
    /// `timeout`.
    #[schemars(with = "String")]
    pub update_interval: Duration,
    /// How often sidecars that are gone are removed. Alias: `cleanupIntervalInSeconds`.
    #[schemars(with = "String")]
    pub cleanup_interval: Duration,
}

impl Default for Metadata {
    fn default() -> Self {
        let connection = ConnectionMetadata {
            timeout: Duration::from_secs(1),
            busy_timeout: Duration::from_millis(800),
            ..ConnectionMetadata::default()
        };
        Self {
            connection,
            table_name: "hosts".to_owned(),
            metadata_table_name: "metadata".to_owned(),
            update_interval: Duration::from_secs(5),
            cleanup_interval: Duration::from_secs(3600),
        }
    }
}

impl Metadata {
    /// Reads the configuration; names are found without regard to case.
    ///
    /// # Errors
    /// A value that cannot be read or does not fit the others, or no `connectionString`.
    pub fn read(properties: &Properties) -> Result<Self> {
        let usual = Self::default();
        let cleanup = ["cleanupInterval", "cleanupIntervalInSeconds"];
        let read = Self {
            connection: ConnectionMetadata::read(properties, usual.connection)?,
            table_name: table_name(properties, "tableName", &usual.table_name)?,
            metadata_table_name: table_name(properties, "metadataTableName", &usual.metadata_table_name)?,
            update_interval: duration(properties, &["updateInterval"], usual.update_interval)?,
            cleanup_interval: duration(properties, &cleanup, usual.cleanup_interval)?,
        };
        read.checked()
    }

    fn checked(self) -> Result<Self> {
        if self.update_interval.subsec_nanos() != 0 {
            return Err(Error::invalid("update interval must not contain fractions of seconds"));
        }
        if self.update_interval < self.connection.timeout + Duration::from_secs(1) {
            return Err(Error::invalid("update interval must be at least 1s greater than timeout"));
        }
        Ok(self)
    }
}
