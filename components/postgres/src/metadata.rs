//! Metadata that all components of this crate share: how the database is reached.
use component_api::{Error, GoDuration, Properties, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// How the database is reached.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionMetadata {
    /// Required unless the fields below say it all. Where the database is, as `host=localhost user=me password=... dbname=mine` or
    /// `postgres://me:...@localhost:5432/mine`. The fields below go before it. Alias: `url`.
    #[serde(alias = "url")]
    pub connection_string: Secret,
    /// Host name of the server.
    pub host: String,
    /// IP address of the server, in place of a look-up of `host`.
    pub hostaddr: String,
    /// Port of the server.
    pub port: String,
    /// Name of the database.
    pub database: String,
    /// Name of the user.
    pub user: String,
    /// Password of the user.
    pub password: Secret,
    /// Path of a file with the certificates that the server's is checked against, as PEM.
    pub ssl_root_cert: String,
    /// How long an operation may take. Alias: `timeoutInSeconds`.
    #[serde(alias = "timeoutInSeconds")]
    pub timeout: GoDuration,
    /// Most connections at the same time; 0 is 4, or as many as there are processors.
    pub max_conns: usize,
    /// How long a connection may be idle and still be used; zero is without limit. Alias: `connMaxIdleTime`.
    #[serde(alias = "connMaxIdleTime")]
    pub connection_max_idle_time: GoDuration,
    /// `exec` and `simple_protocol` do without prepared statements, as some proxies need it; all others keep them.
    pub query_exec_mode: String,
    /// Sign in with Microsoft Entra ID, which this build cannot.
    #[serde(rename = "useAzureAD")]
    pub use_azure_ad: bool,
    /// Sign in with AWS IAM, which this build cannot.
    #[serde(rename = "useAWSIAM")]
    pub use_aws_iam: bool,
}

impl Default for ConnectionMetadata {
    fn default() -> Self {
        Self {
            connection_string: Secret::default(),
            host: String::new(),
            hostaddr: String::new(),
            port: String::new(),
            database: String::new(),
            user: String::new(),
            password: Secret::default(),
            ssl_root_cert: String::new(),
            timeout: Duration::from_secs(20).into(),
            max_conns: 0,
            connection_max_idle_time: Duration::ZERO.into(),
            query_exec_mode: String::new(),
            use_azure_ad: false,
            use_aws_iam: false,
        }
    }
}

impl ConnectionMetadata {
    /// Reads what all components of this crate have in common.
    ///
    /// # Errors
    /// A value that cannot be read, or nothing that says where the database is.
    pub fn read(properties: &Properties) -> Result<Self> {
        let read: Self = properties.decode()?;
        if read.use_azure_ad || read.use_aws_iam {
            return Err(Error::unsupported("useAzureAD and useAWSIAM are not in this build; give user and password"));
        }
        if read.timeout.0 < Duration::from_secs(1) {
            return Err(Error::invalid("invalid value for 'timeout': must be greater than 1s"));
        }
        let modes = ["", "cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"];
        if !modes.contains(&read.query_exec_mode.as_str()) {
            return Err(Error::invalid(format!("invalid queryExecMode metadata value: {}", read.query_exec_mode)));
        }
        Ok(read)
    }

    /// Whether statements are prepared once and kept.
    pub(crate) fn keeps_statements(&self) -> bool {
        !matches!(self.query_exec_mode.as_str(), "exec" | "simple_protocol" | "describe_exec")
    }
}

/// Refuses names of tables, which become parts of statements.
///
/// # Errors
/// Other characters than letters, digits, underscores and dots.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')) {
        return Ok(());
    }
    Err(Error::invalid(format!("invalid identifier: {name}; it may have letters, digits, underscores and dots")))
}
