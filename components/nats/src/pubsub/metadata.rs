//! Metadata of `pubsub.jetstream`.
use crate::connection::Interface;
use crate::server::{Credentials, Server};
use async_nats::datetime;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use component_api::{Error, GoDuration, Properties, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// Publish/subscribe over streams of NATS JetStream, which have to exist. A topic is a subject; subscriptions may have
/// wildcards.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Required. Where the server is, as `nats://user:password@host:4222`, or `tls://...`; several are divided by commas.
    #[serde(rename = "natsURL")]
    pub nats_url: Secret,
    /// Token of the user; it needs `seedKey`.
    pub jwt: Secret,
    /// Seed of the user's key; it needs `jwt`.
    pub seed_key: Secret,
    /// A token that the server knows, if there is neither `jwt` nor a certificate.
    pub token: Secret,
    /// Certificate of the client: a file, or PEM.
    #[serde(rename = "tls_client_cert")]
    pub tls_client_cert: String,
    /// Key of the client's certificate: a file, or PEM.
    #[serde(rename = "tls_client_key")]
    pub tls_client_key: Secret,
    /// Name of the connection, which the server shows.
    pub name: String,
    /// Name of the stream. Default: the one that has the subject.
    pub stream_name: String,
    /// Name of the consumer, which the server keeps while nobody is there. It is for one topic. Without it each
    /// subscription begins anew where `deliverPolicy` says.
    pub durable_name: String,
    /// Those with the same group and `durableName` share the messages.
    pub queue_group_name: String,
    /// Number of the first message, for the deliver policy `sequence`.
    pub start_sequence: u64,
    /// Seconds since 1970 of the first message, for the deliver policy `time`.
    pub start_time: Option<u64>,
    /// The server waits for us when messages come too fast; it needs `heartbeat`, and no group.
    pub flow_control: bool,
    /// After which time a message without an answer comes again, and what the app failed to handle. Default: the server's
    /// 30 seconds.
    pub ack_wait: GoDuration,
    /// How often a message comes at most; 0 is without limit.
    pub max_deliver: i64,
    /// Times after which a message without an answer comes again, divided by commas.
    pub back_off: Vec<GoDuration>,
    /// Most messages without an answer; 0 is the server's limit.
    pub max_ack_pending: i64,
    /// How many servers keep the consumer; 0 is as many as keep the stream.
    pub replicas: usize,
    /// The consumer is kept in memory.
    pub memory_storage: bool,
    /// Bits a second; 0 is any number.
    pub rate_limit: u64,
    /// How often the server says that it is there.
    pub heartbeat: GoDuration,
    /// `all`, `last`, `new`, `sequence` or `time`: where a new consumer begins.
    pub deliver_policy: String,
    /// `explicit`, `all` (a message with those before it) or `none` (messages that the app fails to handle are lost).
    pub ack_policy: String,
    /// Domain of JetStream.
    pub domain: String,
    /// Prefix of the subjects of JetStream's interface. Default: `$JS.API`.
    pub api_prefix: String,
    /// `single`, one message after the other, or `parallel`.
    pub concurrency: String,
    /// The same as `concurrency`, which it goes before.
    pub concurrency_mode: String,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            nats_url: Secret::default(),
            jwt: Secret::default(),
            seed_key: Secret::default(),
            token: Secret::default(),
            tls_client_cert: String::new(),
            tls_client_key: Secret::default(),
            name: "dapr.io - pubsub.jetstream".to_owned(),
            stream_name: String::new(),
            durable_name: String::new(),
            queue_group_name: String::new(),
            start_sequence: 0,
            start_time: None,
            flow_control: false,
            ack_wait: GoDuration::default(),
            max_deliver: 0,
            back_off: Vec::new(),
            max_ack_pending: 0,
            replicas: 0,
            memory_storage: false,
            rate_limit: 0,
            heartbeat: GoDuration::default(),
            deliver_policy: "all".to_owned(),
            ack_policy: "explicit".to_owned(),
            domain: String::new(),
            api_prefix: String::new(),
            concurrency: "single".to_owned(),
            concurrency_mode: String::new(),
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read, or that JetStream does not know.
    pub fn read(properties: &Properties) -> Result<Self> {
        let read: Self = properties.decode()?;
        if !["", "all", "last", "new", "sequence", "time"].contains(&read.deliver_policy.as_str()) {
            let known = "all, last, new, sequence, time";
            return Err(Error::invalid(format!("deliver policy {} is not one of: {known}", read.deliver_policy)));
        }
        read.is_parallel()?;
        Ok(read)
    }

    /// Where a new consumer begins.
    pub(super) fn deliver_policy(&self) -> Result<DeliverPolicy> {
        Ok(match self.deliver_policy.as_str() {
            "last" => DeliverPolicy::Last,
            "new" => DeliverPolicy::New,
            "sequence" if self.start_sequence == 0 => {
                return Err(Error::invalid("deliver policy sequence needs startSequence"));
            }
            "sequence" => DeliverPolicy::ByStartSequence { start_sequence: self.start_sequence },
            "time" => self.start_time()?,
            _ => DeliverPolicy::All,
        })
    }

    fn start_time(&self) -> Result<DeliverPolicy> {
        let seconds = self.start_time.ok_or_else(|| Error::invalid("deliver policy time needs startTime"))?;
        let start_time = datetime::from_nanos(i128::from(seconds) * 1_000_000_000);
        let start_time = start_time.map_err(|_| Error::invalid(format!("invalid startTime {seconds}")))?;
        Ok(DeliverPolicy::ByStartTime { start_time })
    }

    /// What is not known is `explicit`.
    pub(super) fn ack_policy(&self) -> AckPolicy {
        match self.ack_policy.as_str() {
            "all" => AckPolicy::All,
            "none" => AckPolicy::None,
            _ => AckPolicy::Explicit,
        }
    }

    /// Whether messages are handled at the same time.
    pub(super) fn is_parallel(&self) -> Result<bool> {
        let mode = if self.concurrency_mode.is_empty() { &self.concurrency } else { &self.concurrency_mode };
        match mode.as_str() {
            "single" | "" => Ok(false),
            "parallel" => Ok(true),
            other => Err(Error::invalid(format!("invalid concurrency {other}: it is single or parallel"))),
        }
    }

    /// What is checked for subscriptions only: who just publishes may have it.
    pub(super) fn check_group(&self) -> Result<()> {
        if self.flow_control && self.heartbeat.0.is_zero() {
            return Err(Error::invalid("flowControl needs heartbeat"));
        }
        if !self.queue_group_name.is_empty() && !self.heartbeat.0.is_zero() {
            return Err(Error::invalid("queueGroupName goes with neither heartbeat nor flowControl"));
        }
        Ok(())
    }

    pub(super) fn server(&self) -> Result<Server> {
        let credentials = Credentials {
            jwt: self.jwt.clone(),
            seed_key: self.seed_key.clone(),
            certificate: self.tls_client_cert.clone(),
            certificate_key: self.tls_client_key.clone(),
            token: self.token.clone(),
        };
        Server::new(&self.nats_url, &self.name, &credentials)
    }

    pub(super) fn interface(&self) -> Interface {
        Interface { domain: self.domain.clone(), prefix: self.api_prefix.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn read(pairs: &[(&str, &str)]) -> Result<Metadata> {
        Metadata::read(&pairs.iter().copied().collect::<Properties>())
    }

    #[test]
    fn policies() {
        let policy = |pairs: &[(&str, &str)]| read(pairs).and_then(|metadata| metadata.deliver_policy());
        assert_eq!(policy(&[]).unwrap(), DeliverPolicy::All);
        let by_number = DeliverPolicy::ByStartSequence { start_sequence: 3 };
        assert_eq!(policy(&[("deliverPolicy", "sequence"), ("startSequence", "3")]).unwrap(), by_number);
        assert!(policy(&[("deliverPolicy", "time"), ("startTime", "1640995200")]).is_ok());
        for wrong in ["time", "sequence", "first"] {
            assert!(policy(&[("deliverPolicy", wrong)]).is_err(), "{wrong}");
        }
        assert_eq!(read(&[("ackPolicy", "whatever")]).unwrap().ack_policy(), AckPolicy::Explicit);
    }

    #[test]
    fn other_values() {
        let metadata = read(&[("backOff", "1s, 2m,3"), ("ackWait", "500ms"), ("concurrencyMode", "parallel")]).unwrap();
        let waits: Vec<_> = metadata.back_off.iter().map(|wait| wait.0).collect();
        assert_eq!(waits, [1, 120, 3].map(Duration::from_secs));
        assert_eq!(metadata.ack_wait.0, Duration::from_millis(500));
        assert!(metadata.is_parallel().unwrap());
        assert!(!read(&[]).unwrap().is_parallel().unwrap());
        for pair in [("concurrency", "many"), ("concurrencyMode", "many"), ("deliverPolicy", "x"), ("maxDeliver", "x")]
        {
            assert!(read(&[pair]).is_err(), "{pair:?}");
        }
        for pairs in [[("queueGroupName", "g"), ("heartbeat", "1s")], [("flowControl", "true"), ("name", "x")]] {
            assert!(read(&pairs).unwrap().check_group().is_err(), "{pairs:?}");
        }
    }
}
