//! Metadata of `configuration.sqlite`.
use crate::metadata::{ConnectionMetadata, check_table_name};
use component_api::{GoDuration, Properties, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Configuration items in a table of a SQLite file, which any program may write.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Path of the database file such as `data.db`, or a URI such as `file:data.db?cache=private`. `:memory:` keeps
    /// everything in the process and forgets it at its end. Alias: `url`.
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
    /// Table of the items, with the columns `key`, `value`, `version` and `metadata` (a JSON object of strings, or NULL).
    /// It is made where there is none.
    pub table_name: String,
    /// Table of what the component has to remember of its own.
    pub metadata_table_name: String,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            connection_string: String::new(),
            timeout: Duration::from_secs(20).into(),
            busy_timeout: Duration::from_secs(2).into(),
            disable_wal: false,
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
        let read: Self = properties.decode()?;
        read.connection().checked()?;
        check_table_name(&read.table_name)?;
        check_table_name(&read.metadata_table_name)?;
        Ok(read)
    }

    pub(super) fn connection(&self) -> ConnectionMetadata {
        ConnectionMetadata {
            connection_string: self.connection_string.clone(),
            timeout: self.timeout.0,
            busy_timeout: self.busy_timeout.0,
            disable_wal: self.disable_wal,
        }
    }
}
