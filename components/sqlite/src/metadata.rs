//! Metadata that the state store and the name resolver share, and how values are read.
use component_api::pubsub::go_duration;
use component_api::{Error, Properties, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// How the database is reached.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionMetadata {
    /// Path of the database file such as `data.db`, or a URI such as `file:data.db?cache=private`. `:memory:` keeps
    /// everything in the process and forgets it at its end. Alias: `url`.
    pub connection_string: String,
    /// How long an operation may take. Alias: `timeoutInSeconds`.
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// How long to wait for the database while other processes write to it; zero is not at all.
    #[schemars(with = "String")]
    pub busy_timeout: Duration,
    /// Do without a write-ahead log. Needed where the file is on a network file system.
    #[serde(rename = "disableWAL")]
    pub disable_wal: bool,
}

impl Default for ConnectionMetadata {
    fn default() -> Self {
        Self {
            connection_string: String::new(),
            timeout: Duration::from_secs(20),
            busy_timeout: Duration::from_secs(2),
            disable_wal: false,
        }
    }
}

impl ConnectionMetadata {
    /// Reads the metadata of a component; `usual` has what is taken where nothing is given.
    ///
    /// # Errors
    /// A value that cannot be read, no `connectionString`, or a timeout below a second.
    pub(crate) fn read(properties: &Properties, usual: Self) -> Result<Self> {
        let connection_string = text(properties, &["connectionString", "url"])
            .ok_or_else(|| Error::invalid("missing connection string: give connectionString the path of a file"))?;
        let timeout = duration(properties, &["timeout", "timeoutInSeconds"], usual.timeout)?;
        if timeout < Duration::from_secs(1) {
            return Err(Error::invalid("invalid value for 'timeout': must be at least 1s"));
        }
        Ok(Self {
            connection_string: connection_string.to_owned(),
            timeout,
            busy_timeout: duration(properties, &["busyTimeout"], usual.busy_timeout)?,
            disable_wal: text(properties, &["disableWAL"]).map_or(usual.disable_wal, is_truthy),
        })
    }
}

/// The first of the names that has a value.
pub(crate) fn text<'a>(properties: &'a Properties, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| properties.get(name)).map(str::trim).filter(|text| !text.is_empty())
}

/// A Go duration such as `5s`, or a number of seconds.
pub(crate) fn duration(properties: &Properties, names: &[&str], usual: Duration) -> Result<Duration> {
    let Some(text) = text(properties, names) else { return Ok(usual) };
    let seconds = || text.parse().ok().map(Duration::from_secs);
    let refusal = || Error::invalid(format!("invalid value for '{}': give a duration such as 30s", names[0]));
    go_duration(text).or_else(seconds).ok_or_else(refusal)
}

/// The name of a table, which becomes part of statements.
pub(crate) fn table_name(properties: &Properties, name: &str, usual: &str) -> Result<String> {
    let table = text(properties, &[name]).unwrap_or(usual);
    if table.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(table.to_owned());
    }
    Err(Error::invalid(format!("invalid identifier: {table}; {name} may have letters, digits and underscores")))
}

fn is_truthy(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "y" | "yes" | "true" | "t" | "on" | "1")
}
