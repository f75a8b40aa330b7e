//! Metadata of `pubsub.sqlite`.
use crate::metadata::ConnectionMetadata;
use component_api::{Error, GoDuration, Properties, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

const MOST_HANDLERS: usize = 10_000;

/// Durable publish/subscribe between the processes of one machine, in one SQLite file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Required. Path of the database file, or a `file:` URI. All sidecars of the machine that name the same file form one broker.
    /// The file must be on a local disk. `:memory:` keeps everything in the process and forgets it at its end.
    pub connection_string: String,
    /// Group of consumers that share the messages: each message goes to one of them. Default: the app id.
    #[serde(rename = "consumerID")]
    pub consumer_id: String,
    /// `single` hands out one message of a topic (or one bulk) at a time in the whole group, in the order of publishing;
    /// another process takes over when the one at work ends. A message that fails holds back those behind it until it is
    /// handled, goes to the dead letter topic of its subscription, or is given up after `maxRetries`; of a bulk, those of
    /// its messages that failed. `parallel` spreads messages over all processes of the group, and none waits for another.
    pub concurrency_mode: ConcurrencyMode,
    /// With `concurrencyMode: parallel`, how many messages of a topic this process handles at the same time; at most 10,000.
    pub max_concurrent_handlers: usize,
    /// How long a message stays with a process that shows no sign of life before another one gets it. The time is
    /// renewed while a message is being handled, so it need not be longer than that takes.
    pub visibility_timeout: GoDuration,
    /// Pause before a failed message comes again. It doubles with every failure up to `maxRedeliverInterval`.
    pub redeliver_interval: GoDuration,
    /// Longest pause before a failed message comes again.
    pub max_redeliver_interval: GoDuration,
    /// How often a failed message comes again before it is given up, which means lost; -1 is without limit.
    pub max_retries: i64,
    /// Messages older than this are deleted, delivered or not. A new group gets all messages that are still there. A group
    /// that was away for longer (and for an hour at least) is forgotten, so that it keeps no messages from being deleted.
    pub retention: GoDuration,
    /// When a topic has more messages than this that somebody has not handled yet, the oldest are deleted. That is so for
    /// topics that nobody has subscribed to yet, too.
    pub max_messages: u32,
    /// How long to wait for the database while other processes write to it.
    pub busy_timeout: GoDuration,
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
            visibility_timeout: Duration::from_secs(10).into(),
            redeliver_interval: Duration::from_secs(1).into(),
            max_redeliver_interval: Duration::from_secs(60).into(),
            max_retries: -1,
            retention: Duration::from_secs(7 * 24 * 3600).into(),
            max_messages: 1_000_000,
            busy_timeout: Duration::from_secs(5).into(),
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component; names are found without regard to case.
    ///
    /// # Errors
    /// A value that cannot be read, or no `connectionString`.
    pub fn read(properties: &Properties, app_id: &str) -> Result<Self> {
        let mut read: Self = properties.decode()?;
        if read.connection_string.is_empty() {
            return Err(Error::invalid("connectionString is missing: give the path of the database file"));
        }
        if read.consumer_id.is_empty() {
            app_id.clone_into(&mut read.consumer_id);
        }
        read.checked()
    }

    fn checked(self) -> Result<Self> {
        if !(1..=MOST_HANDLERS).contains(&self.max_concurrent_handlers) {
            return Err(Error::invalid(format!("maxConcurrentHandlers must be from 1 to {MOST_HANDLERS}")));
        }
        if self.max_messages == 0 {
            return Err(Error::invalid("maxMessages must be above zero"));
        }
        if self.visibility_timeout.0 < Duration::from_millis(30) || self.retention.0.is_zero() {
            return Err(Error::invalid("visibilityTimeout must be at least 30ms, and retention above zero"));
        }
        Ok(self)
    }

    /// How the database is reached.
    pub(super) fn connection(&self) -> ConnectionMetadata {
        ConnectionMetadata {
            connection_string: self.connection_string.clone(),
            busy_timeout: self.busy_timeout,
            ..ConnectionMetadata::default()
        }
    }

    /// The pause before the next delivery after so many.
    pub(super) fn pause_after(&self, deliveries: i64) -> Duration {
        let doublings = u32::try_from(deliveries - 1).unwrap_or_default().min(30);
        self.redeliver_interval.0.saturating_mul(1 << doublings).min(self.max_redeliver_interval.0)
    }
}
