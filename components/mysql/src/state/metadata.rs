//! Metadata of `state.mysql`.
use component_api::{Error, GoDuration, Properties, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// State in MySQL and MariaDB.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Required. Where the server is, as `user:password@tcp(host:port)/?tls=true`, without a database.
    pub connection_string: Secret,
    /// Database of the tables; it is made if there is none.
    pub schema_name: String,
    /// Table of the entries.
    pub table_name: String,
    /// Table of what the component has to remember of its own.
    pub metadata_table_name: String,
    /// Path of a file with the certificates that the server's is checked against, as PEM. The connection string must have
    /// `tls=custom`.
    pub pem_path: String,
    /// How long an operation may take.
    pub timeout_in_seconds: GoDuration,
    /// How often expired entries are removed; zero is never, though they cannot be read any more.
    pub cleanup_interval: GoDuration,
}

const TIMEOUT: Duration = Duration::from_secs(20);

impl Default for Metadata {
    fn default() -> Self {
        Self {
            connection_string: Secret::default(),
            schema_name: "dapr_state_store".to_owned(),
            table_name: "state".to_owned(),
            metadata_table_name: "dapr_metadata".to_owned(),
            pem_path: String::new(),
            timeout_in_seconds: TIMEOUT.into(),
            cleanup_interval: Duration::from_secs(3600).into(),
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read, or no connection string.
    pub fn read(properties: &Properties) -> Result<Self> {
        let mut read: Self = properties.decode()?;
        if read.connection_string.is_empty() {
            return Err(Error::invalid("missing connection string: set connectionString"));
        }
        check_name("table", &read.table_name)?;
        check_name("metadata table", &read.metadata_table_name)?;
        check_name("schema", &read.schema_name)?;
        if read.timeout_in_seconds.0.is_zero() {
            read.timeout_in_seconds = TIMEOUT.into();
        }
        Ok(read)
    }
}

/// Refuses names that become parts of statements.
fn check_name(what: &str, name: &str) -> Result<()> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(());
    }
    Err(Error::invalid(format!("{what} name '{name}' is not valid; it may have letters, digits and underscores")))
}
