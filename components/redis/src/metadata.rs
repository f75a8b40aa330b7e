//! Metadata that all components of this crate share: how the server is reached.
mod address;

pub(crate) use address::Address;

use component_api::{Error, GoDuration, Properties, Result, Secret};
use foundation_metadata::duration::or_milliseconds;
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// How the server is reached.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionMetadata {
    /// Host and port of the server, such as `localhost:6379`. With a cluster or sentinels, any number of them, divided
    /// by commas.
    pub redis_host: String,
    /// Port of hosts that have none of their own; 6379 when it is not set.
    pub redis_port: u16,
    /// User of the server's access control list.
    pub redis_username: String,
    /// Password of the user.
    pub redis_password: Secret,
    /// Number of the database. A cluster has only one.
    #[serde(rename = "redisDB")]
    pub redis_db: i64,
    /// `node` or `cluster`.
    pub redis_type: RedisType,
    /// Ask sentinels for the master: `redisHost` names the sentinels.
    pub failover: bool,
    /// Name of the master that the sentinels watch.
    pub sentinel_master_name: String,
    /// User of the sentinels.
    pub sentinel_username: String,
    /// Password of the sentinels' user.
    pub sentinel_password: Secret,
    /// Encrypt the connection, and check the server's certificate against those that the system trusts.
    #[serde(rename = "enableTLS")]
    pub enable_tls: bool,
    /// Take any certificate of the server. For tests only.
    #[serde(rename = "insecureSkipTLSVerify")]
    pub insecure_skip_tls_verify: bool,
    /// Certificate of the client, as PEM.
    pub client_cert: String,
    /// Key of the client's certificate, as PEM.
    pub client_key: Secret,
    /// How often an operation is tried again when the connection breaks; -1 is not at all.
    #[serde(alias = "maxRetries")]
    pub redis_max_retries: i32,
    /// Pause before the first of these tries. It doubles each time. Whole numbers are milliseconds.
    #[serde(deserialize_with = "or_milliseconds")]
    pub redis_min_retry_interval: GoDuration,
    /// Longest pause between these tries. Whole numbers are milliseconds.
    #[serde(deserialize_with = "or_milliseconds")]
    pub redis_max_retry_interval: GoDuration,
    /// How long connecting may take. Whole numbers are milliseconds.
    #[serde(deserialize_with = "or_milliseconds")]
    pub dial_timeout: GoDuration,
    /// How long an operation may take. Whole numbers are milliseconds.
    #[serde(deserialize_with = "or_milliseconds")]
    pub read_timeout: GoDuration,
    /// Sign in with Microsoft Entra ID, which this build cannot.
    #[serde(rename = "useEntraID", alias = "useAzureAD")]
    pub use_entra_id: bool,
}

/// What answers at the address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RedisType {
    #[default]
    Node,
    Cluster,
}

impl Default for ConnectionMetadata {
    fn default() -> Self {
        Self {
            redis_host: String::new(),
            redis_port: 0,
            redis_username: String::new(),
            redis_password: Secret::default(),
            redis_db: 0,
            redis_type: RedisType::Node,
            failover: false,
            sentinel_master_name: String::new(),
            sentinel_username: String::new(),
            sentinel_password: Secret::default(),
            enable_tls: false,
            insecure_skip_tls_verify: false,
            client_cert: String::new(),
            client_key: Secret::default(),
            redis_max_retries: 3,
            redis_min_retry_interval: Duration::from_millis(8).into(),
            redis_max_retry_interval: Duration::from_millis(512).into(),
            dial_timeout: Duration::from_secs(5).into(),
            read_timeout: Duration::from_secs(3).into(),
            use_entra_id: false,
        }
    }
}

impl ConnectionMetadata {
    /// Reads what all components of this crate have in common.
    ///
    /// # Errors
    /// A value that cannot be read, or no `redisHost`.
    pub fn read(properties: &Properties) -> Result<Self> {
        let read: Self = properties.decode()?;
        if read.redis_host.is_empty() {
            return Err(Error::invalid("metadata property redisHost is empty: give the host and port of the server"));
        }
        if read.use_entra_id {
            return Err(Error::unsupported("useEntraID is not in this build; use redisUsername and redisPassword"));
        }
        if read.failover && read.sentinel_master_name.is_empty() {
            return Err(Error::invalid("failover needs sentinelMasterName"));
        }
        read.addresses()?;
        Ok(read)
    }

    /// Where to connect to, in the order given.
    pub(crate) fn addresses(&self) -> Result<Vec<Address>> {
        let hosts = self.redis_host.split(',').map(str::trim).filter(|host| !host.is_empty());
        hosts.map(|host| Address::parse(host, self.redis_port)).collect()
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.redis_type == RedisType::Cluster
    }
}

/// A time that is not set, or that asks for no limit at all, is the default one: every call has a deadline.
pub(crate) fn limited(duration: GoDuration, default: Duration) -> Duration {
    if duration.0.is_zero() { default } else { duration.0 }
}
