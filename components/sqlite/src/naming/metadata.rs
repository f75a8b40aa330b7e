//! Configuration of the name resolver.
use crate::metadata::{ConnectionMetadata, check_table_name};
use component_api::{Error, GoDuration, Properties, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Sidecars of a machine that find each other by a SQLite file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Path of the database file such as `data.db`, or a URI such as `file:data.db`. Alias: `url`.
    #[serde(alias = "url")]
    pub connection_string: String,
    /// How long an operation may take. Alias: `timeoutInSeconds`.
    #[serde(alias = "timeoutInSeconds")]
    pub timeout: GoDuration,
    /// How long to wait for the database while other processes write to it; zero is not at all.
    pub busy_timeout: GoDuration,
    /// Do without a write-ahead log. Needed where the file is on a network file system.
    #[serde(rename = "disableWAL")]
    pub disable_wal: bool,
    /// Table of the sidecars.
    pub table_name: String,
    /// Table of what the component has to remember of its own.
    pub metadata_table_name: String,
    /// A sidecar that has not shown itself for so long counts as gone; whole seconds, and at least one more than
    /// `timeout`.
    pub update_interval: GoDuration,
    /// How often sidecars that are gone are removed. Alias: `cleanupIntervalInSeconds`.
    #[serde(alias = "cleanupIntervalInSeconds")]
    pub cleanup_interval: GoDuration,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            connection_string: String::new(),
            timeout: Duration::from_secs(1).into(),
            busy_timeout: Duration::from_millis(800).into(),
            disable_wal: false,
            table_name: "hosts".to_owned(),
            metadata_table_name: "metadata".to_owned(),
            update_interval: Duration::from_secs(5).into(),
            cleanup_interval: Duration::from_secs(3600).into(),
        }
    }
}

impl Metadata {
    /// Reads the configuration; names are found without regard to case.
    ///
    /// # Errors
    /// A value that cannot be read or does not fit the others, or no `connectionString`.
    pub fn read(properties: &Properties) -> Result<Self> {
        let read: Self = properties.decode()?;
        read.connection().checked()?;
        check_table_name(&read.table_name)?;
        check_table_name(&read.metadata_table_name)?;
        read.checked()
    }

    pub(super) fn connection(&self) -> ConnectionMetadata {
        ConnectionMetadata {
            connection_string: self.connection_string.clone(),
            timeout: self.timeout,
            busy_timeout: self.busy_timeout,
            disable_wal: self.disable_wal,
        }
    }

    fn checked(self) -> Result<Self> {
        if self.update_interval.0.subsec_nanos() != 0 {
            return Err(Error::invalid("update interval must not contain fractions of seconds"));
        }
        if self.update_interval.0 < self.timeout.0 + Duration::from_secs(1) {
            return Err(Error::invalid("update interval must be at least 1s greater than timeout"));
        }
        Ok(self)
    }
}
