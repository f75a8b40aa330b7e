//! Metadata that publish/subscribe and the binding have in common.
mod back_off;
mod consuming;
mod schemas;
mod security;

pub(crate) use back_off::BackOff;
pub(crate) use consuming::{ConsumingMetadata, Offset, Strategy};
pub(crate) use schemas::SchemaMetadata;
pub(crate) use security::{AuthType, SecurityMetadata};

use component_api::{Error, GoDuration, Properties, Result, merged_schema};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;
use std::time::Duration;

/// Everything that is said of a Kafka cluster and how it is used.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Metadata {
    pub connection: ConnectionMetadata,
    pub security: SecurityMetadata,
    pub consuming: ConsumingMetadata,
    pub back_off: BackOff,
    pub schemas: SchemaMetadata,
}

/// Where the brokers are, and how messages get there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ConnectionMetadata {
    /// Required. Where the brokers are, as `host:9092`; several are divided by commas.
    pub brokers: String,
    /// Name of the client, which brokers show and may have quotas for.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// Version of the brokers, such as `2.8.1`. It is only needed for brokers before 0.10, which do not say it.
    pub version: String,
    /// Most bytes of a message; nothing is 1 MiB, and less than 1000 is 1000.
    pub max_message_bytes: u32,
    /// How messages are compressed: `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: String,
    /// Which replicas must have a message before it counts as published: `all`, `local` (the leader of its partition) or `none`.
    pub producer_required_acks: String,
    /// How often sending a message is tried again.
    pub producer_retry_max: i32,
    /// Metadata and headers whose names this regular expression finds are not passed on.
    pub exclude_header_meta_regex: String,
    /// Values of headers and keys are escaped as in URLs when they become metadata, as headers of HTTP cannot have all letters.
    pub escape_headers: bool,
    /// How often it is asked which brokers and partitions there are.
    pub client_connection_topic_metadata_refresh_interval: GoDuration,
    /// Not used: connections are kept alive as the system does it.
    pub client_connection_keep_alive_interval: GoDuration,
    /// How long connecting to a broker may take; at least one second.
    pub dial_timeout: GoDuration,
    /// How long a broker may take to answer; the longer of this one and `writeTimeout` counts.
    pub read_timeout: GoDuration,
    /// How long sending a request may take; the longer of this one and `readTimeout` counts.
    pub write_timeout: GoDuration,
    /// How long the first contact, and asking for partitions, may take; nothing is 10 seconds.
    pub metadata_timeout: GoDuration,
}

impl Default for ConnectionMetadata {
    fn default() -> Self {
        let half_a_minute = GoDuration(Duration::from_secs(30));
        Self {
            brokers: String::new(),
            client_id: "sarama".to_owned(),
            version: String::new(),
            max_message_bytes: 0,
            compression: "none".to_owned(),
            producer_required_acks: "all".to_owned(),
            producer_retry_max: 5,
            exclude_header_meta_regex: String::new(),
            escape_headers: false,
            client_connection_topic_metadata_refresh_interval: Duration::from_secs(8 * 60).into(),
            client_connection_keep_alive_interval: GoDuration::default(),
            dial_timeout: half_a_minute,
            read_timeout: half_a_minute,
            write_timeout: half_a_minute,
            metadata_timeout: GoDuration::default(),
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component. `retries` is whether a message that the app fails to handle comes again if nothing
    /// is said; the id of the app is the consumer group if there is no other.
    ///
    /// # Errors
    /// A value that cannot be used, or that this component does not have.
    pub(crate) fn read(properties: &Properties, app_id: &str, retries: bool) -> Result<Self> {
        let connection: ConnectionMetadata = properties.decode()?;
        connection.check()?;
        let consuming = ConsumingMetadata::read(properties, app_id, retries)?;
        let (security, back_off) = (SecurityMetadata::read(properties)?, BackOff::read(properties)?);
        Ok(Self { connection, security, consuming, back_off, schemas: properties.decode()? })
    }

    /// The schema of all parts.
    pub(crate) fn schema() -> Schema {
        let others = [
            schema_for!(ConsumingMetadata),
            schema_for!(SecurityMetadata),
            schema_for!(BackOff),
            schema_for!(SchemaMetadata),
        ];
        merged_schema(schema_for!(ConnectionMetadata), &others)
    }
}

impl ConnectionMetadata {
    fn check(&self) -> Result<()> {
        if self.brokers.split(',').all(|broker| broker.trim().is_empty()) {
            return Err(Error::invalid("kafka error: missing 'brokers' attribute"));
        }
        let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
        if !codecs.contains(&self.compression.to_lowercase().as_str()) {
            let (given, known) = (&self.compression, codecs.join(", "));
            return Err(Error::invalid(format!("kafka error: invalid compression: {given}; it is one of {known}")));
        }
        if !is_version(&self.version) {
            return Err(Error::invalid("kafka error: invalid kafka version; its form is 2.8.1, or 0.10.2.0"));
        }
        if self.producer_retry_max < 0 {
            let given = self.producer_retry_max;
            let text = format!("kafka error: invalid value for 'producerRetryMax': {given} (must be >= 0)");
            return Err(Error::invalid(text));
        }
        self.acknowledgements().map(drop)
    }

    /// How many replicas must have a message, in the client's words.
    pub(crate) fn acknowledgements(&self) -> Result<&'static str> {
        let given = &self.producer_required_acks;
        match given.to_lowercase().as_str() {
            "all" => Ok("all"),
            "local" => Ok("1"),
            "none" => Ok("0"),
            _ => Err(Error::invalid(format!(
                "kafka error: invalid value for 'producerRequiredAcks': \"{given}\" (must be \"all\", \"local\", or \"none\")"
            ))),
        }
    }
}

/// Whether it has the form of a version; nothing is one too.
fn is_version(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let count = if text.starts_with("0.") { 4 } else { 3 };
    text.is_empty() || (parts.len() == count && parts.iter().all(is_number))
}

#[cfg(test)]
mod tests;
