//! Metadata of `state.mongodb`.
use component_api::{Error, GoDuration, Properties, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// State in MongoDB. Transactions, and so actors, need a replica set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Required unless `host` or `server` is set, and goes before both. Where the servers are, as
    /// `mongodb://user:password@host:27017/database?replicaSet=name`.
    pub connection_string: Secret,
    /// Host and port of a server; several are divided by commas.
    pub host: String,
    /// Name with an SRV record of DNS that tells the servers. TLS is on.
    pub server: String,
    /// Name of the user. It needs `password`.
    pub username: String,
    /// Password of the user. What a URL cannot have may be percent-encoded.
    pub password: Secret,
    /// Name of the database.
    pub database_name: String,
    /// Name of the collection.
    pub collection_name: String,
    /// How many servers have a write before it is done: a number, or `majority`. Their journals have it too.
    #[serde(rename = "writeconcern")]
    pub write_concern: String,
    /// What reads may see: `available`, `local`, `majority`, `linearizable` or `snapshot`.
    #[serde(rename = "readconcern")]
    pub read_concern: String,
    /// Options of the connection beside `host` or `server`, as `?replicaSet=name&tls=true`.
    pub params: String,
    /// How long an operation may take.
    pub operation_timeout: GoDuration,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            connection_string: Secret::default(),
            host: String::new(),
            server: String::new(),
            username: String::new(),
            password: Secret::default(),
            database_name: "daprStore".to_owned(),
            collection_name: "daprCollection".to_owned(),
            write_concern: String::new(),
            read_concern: String::new(),
            params: String::new(),
            operation_timeout: Duration::from_secs(5).into(),
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read, or nothing that says where the servers are.
    pub fn read(properties: &Properties) -> Result<Self> {
        let read: Self = properties.decode()?;
        if read.operation_timeout.0.is_zero() {
            return Err(Error::invalid("operationTimeout must be more than zero, such as 5s"));
        }
        if read.database_name.is_empty() || read.collection_name.is_empty() {
            return Err(Error::invalid("databaseName and collectionName must not be empty"));
        }
        match (read.connection_string.is_empty(), read.host.is_empty(), read.server.is_empty()) {
            (true, true, true) => {
                Err(Error::invalid("must set 'host' or 'server' fields in metadata, or 'connectionString'"))
            }
            (true, false, false) => Err(Error::invalid("'host' or 'server' fields are mutually exclusive")),
            _ => Ok(read),
        }
    }
}
