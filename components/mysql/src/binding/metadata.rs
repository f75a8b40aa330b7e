//! Metadata of `bindings.mysql`.
use component_api::{Error, GoDuration, Properties, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// Statements and queries of MySQL and MariaDB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Required. Where the database is, as `user:password@tcp(host:port)/database?tls=true`.
    pub url: Secret,
    /// Path of a file with the certificates that the server's is checked against, as PEM. The `url` must have `tls=custom`.
    pub pem_path: String,
    /// Not used: idle connections are kept.
    pub max_idle_conns: i64,
    /// Most connections at the same time; 0 is 16.
    pub max_open_conns: i64,
    /// How long a connection may be used; zero is without limit.
    pub conn_max_lifetime: GoDuration,
    /// How long a connection may be idle and still be used; zero is without limit.
    pub conn_max_idle_time: GoDuration,
}

impl Metadata {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read, or no `url`.
    pub fn read(properties: &Properties) -> Result<Self> {
        let read: Self = properties.decode()?;
        if read.url.is_empty() {
            return Err(Error::invalid("missing connection string: set url"));
        }
        Ok(read)
    }
}
