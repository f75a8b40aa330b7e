//! Metadata of `pubsub.redis`.
use crate::metadata::ConnectionMetadata;
use component_api::{GoDuration, Properties, Result, merged_schema};
use foundation_metadata::duration::or_milliseconds;
use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;
use std::time::Duration;

/// Time between two renewals, at least and at most.
const SHORTEST_RENEWAL: Duration = Duration::from_millis(20);
const LONGEST_RENEWAL: Duration = Duration::from_secs(60);

/// How the server is reached, and what the broker does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    pub connection: ConnectionMetadata,
    pub own: PubSubMetadata,
}

/// Publish/subscribe over Redis streams, with a consumer group for each app.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PubSubMetadata {
    /// Group of consumers that share the messages: each message goes to one of them. Default: the app id.
    #[serde(rename = "consumerID")]
    pub consumer_id: String,
    /// How often messages are looked for that nobody acknowledged; zero is never. Whole numbers are milliseconds.
    #[serde(deserialize_with = "or_milliseconds")]
    pub redeliver_interval: GoDuration,
    /// How long a message may be without an answer, or refused, before it is delivered again; zero is for ever. The time
    /// is renewed while the app handles the message. Whole numbers are milliseconds.
    #[serde(deserialize_with = "or_milliseconds")]
    pub processing_timeout: GoDuration,
    /// Most messages that are taken from the server at a time.
    pub queue_depth: usize,
    /// How many messages of a topic are handled at the same time; a bulk subscription has at least one bulk.
    pub concurrency: usize,
    /// About how many messages a stream keeps; zero is all.
    pub max_len_approx: u64,
    /// How long a stream keeps messages, unless `maxLenApprox` is set; zero is for ever.
    #[serde(rename = "streamTTL")]
    pub stream_ttl: GoDuration,
}

impl Default for PubSubMetadata {
    fn default() -> Self {
        Self {
            consumer_id: String::new(),
            redeliver_interval: Duration::from_secs(15).into(),
            processing_timeout: Duration::from_secs(60).into(),
            queue_depth: 100,
            concurrency: 10,
            max_len_approx: 0,
            stream_ttl: Duration::ZERO.into(),
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read, or no `redisHost`.
    pub fn read(properties: &Properties, app_id: &str) -> Result<Self> {
        let mut own: PubSubMetadata = properties.decode()?;
        if own.consumer_id.is_empty() {
            app_id.clone_into(&mut own.consumer_id);
        }
        Ok(Self { connection: ConnectionMetadata::read(properties)?, own })
    }

    pub(super) fn schema() -> Schema {
        merged_schema(schema_for!(PubSubMetadata), &[schema_for!(ConnectionMetadata)])
    }
}

impl PubSubMetadata {
    /// How often to look for messages to deliver again, if at all.
    pub(super) fn redelivery(&self) -> Option<Duration> {
        let (interval, timeout) = (self.redeliver_interval.0, self.processing_timeout.0);
        (!interval.is_zero() && !timeout.is_zero()).then_some(interval)
    }

    /// How often to renew the claim to what is being handled, so that it never gets old enough for others.
    pub(super) fn renewal(&self) -> Duration {
        let limit = self.processing_timeout.0;
        if limit.is_zero() { LONGEST_RENEWAL } else { (limit / 3).max(SHORTEST_RENEWAL) }
    }
}
