//! Metadata of those who take messages.
use component_api::{Error, GoDuration, Properties, Result};
use foundation_metadata::duration;
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// How messages are taken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ConsumingMetadata {
    /// Consumer group: each message goes to one of its members. Default: `consumerID`.
    pub consumer_group: String,
    /// The consumer group if `consumerGroup` is not given. Default: the app id.
    #[serde(rename = "consumerID")]
    pub consumer_id: String,
    /// Where a group begins that has not taken any message yet: `newest`, or `oldest`. `newest` is when it subscribes for the
    /// first time.
    pub initial_offset: String,
    /// What the app fails to handle comes again, before all others of its partition, after the pauses of the fields `backOff...`.
    /// Default: true for publish/subscribe, false for the binding.
    pub consume_retry_enabled: Option<bool>,
    /// Pause before the next try when a subscription cannot begin; a bare number is milliseconds.
    #[serde(deserialize_with = "duration::or_milliseconds")]
    pub consume_retry_interval: GoDuration,
    /// How often a member tells its group that it is there.
    pub heartbeat_interval: GoDuration,
    /// After which time without a sign a member counts as gone.
    pub session_timeout: GoDuration,
    /// How partitions are divided among members: `range`, `roundrobin`, or `sticky`. All members have to have the same one;
    /// `sticky` is the incremental kind (`cooperative-sticky`), which sidecars of Dapr do not know.
    pub consumer_group_rebalance_strategy: String,
    /// How many messages of a partition are fetched ahead.
    pub channel_buffer_size: u32,
    /// Fewest bytes that a broker gathers before it answers.
    pub consumer_fetch_min: u32,
    /// Most bytes of a partition in an answer; a message that is larger comes alone.
    pub consumer_fetch_default: u32,
}

/// Where a group begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offset {
    Newest,
    Oldest,
}

/// How partitions are divided among members of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    Range,
    RoundRobin,
    Sticky,
}

impl Default for ConsumingMetadata {
    fn default() -> Self {
        Self {
            consumer_group: String::new(),
            consumer_id: String::new(),
            initial_offset: "newest".to_owned(),
            consume_retry_enabled: None,
            consume_retry_interval: Duration::from_millis(100).into(),
            heartbeat_interval: Duration::from_secs(3).into(),
            session_timeout: Duration::from_secs(10).into(),
            consumer_group_rebalance_strategy: "range".to_owned(),
            channel_buffer_size: 256,
            consumer_fetch_min: 1,
            consumer_fetch_default: 1 << 20,
        }
    }
}

impl ConsumingMetadata {
    pub(super) fn read(properties: &Properties, app_id: &str, retries: bool) -> Result<Self> {
        let mut read: Self = properties.decode()?;
        let names = [read.consumer_group.trim(), read.consumer_id.trim(), app_id];
        let group = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default().to_owned();
        read.consumer_group = group;
        read.consume_retry_enabled = Some(read.consume_retry_enabled.unwrap_or(retries));
        read.offset()?;
        if read.heartbeat_interval.0 >= read.session_timeout.0 {
            return Err(Error::invalid("kafka error: heartbeatInterval has to be less than sessionTimeout"));
        }
        Ok(read)
    }

    /// Whether what the app fails to handle comes again.
    pub(crate) fn retries(&self) -> bool {
        self.consume_retry_enabled.unwrap_or_default()
    }

    pub(crate) fn offset(&self) -> Result<Offset> {
        match self.initial_offset.to_lowercase().as_str() {
            "newest" => Ok(Offset::Newest),
            "oldest" => Ok(Offset::Oldest),
            _ => Err(Error::invalid(format!("kafka error: invalid initialOffset: {}", self.initial_offset))),
        }
    }

    /// What is none is `range`, as in Dapr.
    pub(crate) fn strategy(&self) -> Strategy {
        match self.consumer_group_rebalance_strategy.to_lowercase().as_str() {
            "sticky" => Strategy::Sticky,
            "roundrobin" => Strategy::RoundRobin,
            _ => Strategy::Range,
        }
    }
}
