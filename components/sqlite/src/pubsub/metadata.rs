//! Metadata of `pubsub.sqlite`.
use component_api::pubsub::go_duration;
use component_api::{Error, Properties, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::str::FromStr;
use std::time::Duration;

/// Durable publish/subscribe between the processes of one machine, in one SQLite file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Path of the database file, or a `file:` URI. All sidecars of the machine that name the same file form one broker.
    /// The file must be on a local disk. `:memory:` keeps everything in the process and forgets it at its end.
    pub connection_string: String,
    /// Group of consumers that share the messages: each message goes to one of them. Default: the app id.
    #[serde(rename = "consumerID")]
    pub consumer_id: String,
    /// `single` hands out one message of a topic at a time in the whole group, in the order of publishing; another
    /// process takes over when the one at work ends. `parallel` spreads messages over all processes of the group.
    pub concurrency_mode: ConcurrencyMode,
    /// With `concurrencyMode: parallel`, how many messages of a topic this process handles at the same time.
    pub max_concurrent_handlers: usize,
    /// How long a message stays with a process that shows no sign of life before another one gets it. The time is
    /// renewed while a message is being handled, so it need not be longer than that takes.
    #[schemars(with = "String")]
    pub visibility_timeout: Duration,
    /// Pause before a failed message comes again. It doubles with every failure up to `maxRedeliverInterval`.
    #[schemars(with = "String")]
    pub redeliver_interval: Duration,
    /// Longest pause before a failed message comes again.
    #[schemars(with = "String")]
    pub max_redeliver_interval: Duration,
    /// How often a failed message comes again before it is given up; -1 is without limit.
    pub max_retries: i64,
    /// Messages older than this are deleted, delivered or not.
    #[schemars(with = "String")]
    pub retention: Duration,
    /// When a topic has more messages than this that somebody has not handled yet, the oldest are deleted.
    pub max_messages: u32,
    /// How long to wait for the database while other processes write to it.
    #[schemars(with = "String")]
    pub busy_timeout: Duration,
}

/// How many messages of a topic a group handles at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConcurrencyMode {
    #[default]
    Single,
    Parallel,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            connection_string: String::new(),
            consumer_id: String::new(),
            concurrency_mode: ConcurrencyMode::Single,
            max_concurrent_handlers: 16,
            visibility_timeout: Duration::from_secs(10),
            redeliver_interval: Duration::from_secs(1),
            max_redeliver_interval: Duration::from_secs(60),
            max_retries: -1,
            retention: Duration::from_secs(7 * 24 * 3600),
            max_messages: 1_000_000,
            busy_timeout: Duration::from_secs(5),
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component; names are found without regard to case.
    ///
    /// # Errors
    /// A value that cannot be read, or no `connectionString`.
    pub fn read(properties: &Properties, app_id: &str) -> Result<Self> {
        let usual = Self::default();
        let text = |name: &str| properties.get(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let connection_string = text("connectionString")
            .ok_or_else(|| Error::invalid("connectionString is missing: give the path of the database file"))?;
        let read = Self {
            connection_string,
            consumer_id: text("consumerID").unwrap_or_else(|| app_id.to_owned()),
            concurrency_mode: mode(text("concurrencyMode"))?,
            max_concurrent_handlers: number(properties, "maxConcurrentHandlers", usual.max_concurrent_handlers)?,
            visibility_timeout: duration(properties, "visibilityTimeout", usual.visibility_timeout)?,
            redeliver_interval: duration(properties, "redeliverInterval", usual.redeliver_interval)?,
            max_redeliver_interval: duration(properties, "maxRedeliverInterval", usual.max_redeliver_interval)?,
            max_retries: number(properties, "maxRetries", usual.max_retries)?,
            retention: duration(properties, "retention", usual.retention)?,
            max_messages: number(properties, "maxMessages", usual.max_messages)?,
            busy_timeout: duration(properties, "busyTimeout", usual.busy_timeout)?,
        };
        read.checked()
    }

    fn checked(self) -> Result<Self> {
        if self.max_concurrent_handlers == 0 || self.max_messages == 0 {
            return Err(Error::invalid("maxConcurrentHandlers and maxMessages must be above zero"));
        }
        if self.visibility_timeout < Duration::from_millis(30) || self.retention.is_zero() {
            return Err(Error::invalid("visibilityTimeout must be at least 30ms, and retention above zero"));
        }
        Ok(self)
    }

    /// The pause before the next delivery after so many.
    pub(super) fn pause_after(&self, deliveries: i64) -> Duration {
        let doublings = u32::try_from(deliveries - 1).unwrap_or_default().min(30);
        self.redeliver_interval.saturating_mul(1 << doublings).min(self.max_redeliver_interval)
    }
}

fn mode(text: Option<String>) -> Result<ConcurrencyMode> {
    match text.unwrap_or_default().to_lowercase().as_str() {
        "" | "single" => Ok(ConcurrencyMode::Single),
        "parallel" => Ok(ConcurrencyMode::Parallel),
        _ => Err(Error::invalid("concurrencyMode must be single or parallel")),
    }
}

fn duration(properties: &Properties, name: &str, usual: Duration) -> Result<Duration> {
    let Some(text) = properties.get(name).map(str::trim).filter(|text| !text.is_empty()) else { return Ok(usual) };
    let plain = || text.parse().ok().map(Duration::from_secs);
    go_duration(text).or_else(plain).ok_or_else(|| Error::invalid(format!("{name} must be a duration such as 30s")))
}

fn number<T: FromStr>(properties: &Properties, name: &str, usual: T) -> Result<T> {
    let Some(text) = properties.get(name).map(str::trim).filter(|text| !text.is_empty()) else { return Ok(usual) };
    text.parse().map_err(|_| Error::invalid(format!("{name} must be a whole number in its range")))
}
