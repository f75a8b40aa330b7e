//! The consumer of a subscription: what the server keeps of it.
use super::metadata::Metadata;
use crate::connection::Link;
use crate::error::{is_missing_consumer, other_settings};
use async_nats::Subscriber;
use async_nats::jetstream::consumer::{AckPolicy, Config, Consumer, DeliverPolicy, Info, ReplayPolicy, push};
use async_nats::jetstream::stream::ConsumerError;
use component_api::{Error, Kind, Result};
use std::sync::Arc;
use std::time::Duration;

/// Which consumer a subscription has.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) metadata: Arc<Metadata>,
    pub(super) topic: String,
    pub(super) server: String,
}

/// A consumer, and what comes from it.
pub(super) struct Bound {
    pub(super) link: Link,
    pub(super) inbox: Subscriber,
    pub(super) info: Info,
}

impl Plan {
    /// Binds to the consumer; it is made if there is none. One that lives only as long as the subscription begins at
    /// `resume` if it is not the first.
    pub(super) async fn bind(&self, link: Link, resume: Option<u64>) -> Result<Bound> {
        let stream = self.stream(&link).await?;
        let info = match self.find(&link, &stream, &self.metadata.durable_name).await? {
            Some(info) => self.checked(info)?,
            None => self.create(&link, &stream, resume).await?,
        };
        let subject = info.config.deliver_subject.clone().unwrap_or_default();
        let subscribed = match &info.config.deliver_group {
            Some(group) => link.client.queue_subscribe(subject, group.clone()).await,
            None => link.client.subscribe(subject).await,
        };
        let inbox = subscribed.map_err(|error| Error::other(format!("nats at {}: {error}", self.server)))?;
        Ok(Bound { link, inbox, info })
    }

    /// Whether the server still has the consumer as we know it.
    pub(super) async fn is_there(&self, link: &Link, known: &Info) -> Result<bool> {
        let found = self.find(link, &known.stream_name, &known.name).await?;
        Ok(found.is_some_and(|found| found.config.deliver_subject == known.config.deliver_subject))
    }

    /// Whether the server keeps the consumer while nobody is there.
    pub(super) fn is_durable(&self) -> bool {
        !self.metadata.durable_name.is_empty()
    }

    async fn stream(&self, link: &Link) -> Result<String> {
        if self.metadata.stream_name.is_empty() {
            return link.within(link.context.stream_by_subject(&self.topic)).await;
        }
        Ok(self.metadata.stream_name.clone())
    }

    async fn find(&self, link: &Link, stream: &str, name: &str) -> Result<Option<Info>> {
        if name.is_empty() {
            return Ok(None);
        }
        let ask = async {
            let found: std::result::Result<Consumer<Config>, ConsumerError> =
                link.context.get_consumer_from_stream(name, stream).await;
            match found {
                Err(error) if is_missing_consumer(&error) => Ok(None),
                found => found.map(|consumer| Some(consumer.cached_info().clone())),
            }
        };
        link.within(ask).await
    }

    async fn create(&self, link: &Link, stream: &str, resume: Option<u64>) -> Result<Info> {
        let mut config = self.config()?;
        config.deliver_subject = if self.is_durable() {
            // All who make it at the same time make the same one.
            format!("_INBOX.{stream}.{}", self.metadata.durable_name)
        } else {
            link.client.new_inbox()
        };
        if let Some(start_sequence) = resume.filter(|_| !self.is_durable()) {
            config.deliver_policy = DeliverPolicy::ByStartSequence { start_sequence };
        }
        let made = link.within(link.context.create_consumer_on_stream(config, stream)).await?;
        Ok(made.cached_info().clone())
    }

    fn config(&self) -> Result<push::Config> {
        let metadata = &*self.metadata;
        metadata.check_group()?;
        let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Ok(push::Config {
            durable_name: filled(&metadata.durable_name),
            deliver_group: filled(&metadata.queue_group_name),
            deliver_policy: metadata.deliver_policy()?,
            ack_policy: metadata.ack_policy(),
            ack_wait: metadata.ack_wait.0,
            max_deliver: metadata.max_deliver,
            backoff: metadata.back_off.iter().map(|wait| wait.0).collect(),
            max_ack_pending: metadata.max_ack_pending,
            num_replicas: metadata.replicas,
            memory_storage: metadata.memory_storage,
            rate_limit: metadata.rate_limit,
            idle_heartbeat: metadata.heartbeat.0,
            flow_control: metadata.flow_control,
            filter_subject: self.topic.clone(),
            ..push::Config::default()
        })
    }

    /// A consumer that is there has to be the one that was asked for.
    fn checked(&self, info: Info) -> Result<Info> {
        if let Some(what) = self.difference(&info.config)? {
            return Err(other_settings(&self.server, &info.config, what));
        }
        if info.push_bound && info.config.deliver_group.is_none() {
            let advice = "end it, or have both share the messages by queueGroupName";
            let text = format!("nats at {}: another process has the consumer {}; {advice}", self.server, info.name);
            return Err(Error::new(Kind::Unavailable, text));
        }
        Ok(info)
    }

    /// Settings that are not given may be anything.
    fn difference(&self, there: &Config) -> Result<Option<&'static str>> {
        let wanted = self.config()?;
        let differs = |is_given: bool, is_same: bool| is_given && !is_same;
        let waits = differs(wanted.backoff.is_empty() && !wanted.ack_wait.is_zero(), wanted.ack_wait == there.ack_wait);
        let tries = differs(wanted.max_deliver > 0, wanted.max_deliver == there.max_deliver);
        let pending = differs(wanted.max_ack_pending > 0, wanted.max_ack_pending == there.max_ack_pending);
        let beats = differs(!wanted.idle_heartbeat.is_zero(), wanted.idle_heartbeat == there.idle_heartbeat);
        let differences = [
            ("kind: it is not one that messages are pushed to", there.deliver_subject.is_none()),
            ("topic: a consumer is for one topic", there.filter_subject != wanted.filter_subject),
            ("queueGroupName", there.deliver_group != wanted.deliver_group),
            ("deliverPolicy", there.deliver_policy != wanted.deliver_policy),
            ("ackPolicy", there.ack_policy != wanted.ack_policy),
            ("ackWait", waits),
            ("maxDeliver", tries),
            ("maxAckPending", pending),
            ("heartbeat", beats),
            ("replay policy", there.replay_policy != ReplayPolicy::Instant),
            ("rateLimit", differs(wanted.rate_limit > 0, wanted.rate_limit == there.rate_limit)),
            ("flowControl", wanted.flow_control && !there.flow_control),
            ("replicas", differs(wanted.num_replicas > 0, wanted.num_replicas == there.num_replicas)),
            ("memoryStorage", wanted.memory_storage && !there.memory_storage),
        ];
        Ok(differences.into_iter().find(|(_, differs)| *differs).map(|(name, _)| name))
    }
}

impl Bound {
    /// After which time a message without an answer comes again.
    pub(super) fn ack_wait(&self) -> Duration {
        let config = &self.info.config;
        config.backoff.iter().min().copied().unwrap_or(config.ack_wait)
    }

    /// Whether this is the last time that the server sends a message that was sent that often.
    pub(super) fn is_last(&self, deliveries: i64) -> bool {
        let config = &self.info.config;
        config.ack_policy == AckPolicy::None || (config.max_deliver > 0 && deliveries >= config.max_deliver)
    }
}
