//! Metadata that the components of this crate share.
use component_api::{Error, GoDuration, Properties, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// How a database is reached.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionMetadata {
    /// Required. Path of the database file such as `data.db`, or a URI such as `file:data.db?cache=private`. `:memory:` keeps
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
}

impl Default for ConnectionMetadata {
    fn default() -> Self {
        Self {
            connection_string: String::new(),
            timeout: Duration::from_secs(20).into(),
            busy_timeout: Duration::from_secs(2).into(),
            disable_wal: false,
        }
    }
}

impl ConnectionMetadata {
    /// Reads what the components have in common.
    ///
    /// # Errors
    /// A value that cannot be read, no path, or a timeout below a second.
    pub(crate) fn read(properties: &Properties) -> Result<Self> {
        properties.decode::<Self>()?.checked()
    }

    /// The same when it can be used.
    ///
    /// # Errors
    /// No path, or a timeout below a second.
    pub(crate) fn checked(self) -> Result<Self> {
        if self.connection_string.is_empty() {
            return Err(Error::invalid("missing connection string: give connectionString the path of a file"));
        }
        if self.timeout.0 < Duration::from_secs(1) {
            return Err(Error::invalid("invalid value for 'timeout': must be at least 1s"));
        }
        Ok(self)
    }
}

/// Refuses names of tables, which become parts of statements.
///
/// # Errors
/// Other characters than letters, digits and underscores.
pub(crate) fn check_table_name(table: &str) -> Result<()> {
    if table.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(());
    }
    Err(Error::invalid(format!("invalid identifier: {table}; tables may have letters, digits and underscores")))
}
