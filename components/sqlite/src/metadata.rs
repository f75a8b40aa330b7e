//! Metadata that the components of this crate share.
use component_api::{Error, Result};
use std::time::Duration;

/// How a database is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionMetadata {
    /// Path or `file:` URI.
    pub(crate) connection_string: String,
    /// How long an operation may take.
    pub(crate) timeout: Duration,
    /// How long to wait while other processes write.
    pub(crate) busy_timeout: Duration,
    /// Do without a write-ahead log.
    pub(crate) disable_wal: bool,
}

impl ConnectionMetadata {
    /// The same when it can be used.
    ///
    /// # Errors
    /// No path, or a timeout below a second.
    pub(crate) fn checked(self) -> Result<Self> {
        if self.connection_string.is_empty() {
            return Err(Error::invalid("missing connection string: give connectionString the path of a file"));
        }
        if self.timeout < Duration::from_secs(1) {
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
