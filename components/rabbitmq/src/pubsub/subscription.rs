//! What a subscription does with a message.
use super::metadata::Metadata;
use super::topology::Topology;
use crate::connection::Connections;
use crate::consumer::{Answer, Work};
use async_trait::async_trait;
use component_api::pubsub::{Deliver, Message, Verdict};
use component_api::{Metadata as Pairs, Result};
use lapin::Channel;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, ShortString};
use std::sync::Arc;

/// Messages of a topic for the app.
pub(super) struct TopicWork {
    pub(super) connections: Arc<Connections>,
    pub(super) metadata: Arc<Metadata>,
    pub(super) topology: Topology,
    pub(super) deliver: Arc<dyn Deliver>,
}

#[async_trait]
impl Work for TopicWork {
    fn name(&self) -> &str {
        &self.topology.topic
    }

    async fn prepare(&self, channel: &Channel) -> Result<ShortString> {
        self.topology.declare(&self.connections, channel, &self.metadata).await
    }

    async fn handle(&self, delivery: &Delivery) -> Answer {
        let has_metadata = self.metadata.publish_message_properties_to_metadata;
        let message = Message {
            topic: self.topology.topic.clone(),
            data: delivery.data.clone().into(),
            content_type: None,
            metadata: if has_metadata { properties(delivery) } else { Pairs::new() },
        };
        match self.deliver.deliver(message).await {
            Verdict::Ack | Verdict::Drop => Answer::Done,
            Verdict::Retry if self.metadata.requeue_in_failure => Answer::Again,
            Verdict::Retry => Answer::Refused,
        }
    }
}

/// Properties and headers under the names that Dapr gives them.
fn properties(delivery: &Delivery) -> Pairs {
    let properties = &delivery.properties;
    let own = [
        ("messageid", properties.message_id()),
        ("correlationid", properties.correlation_id()),
        ("type", properties.kind()),
        ("contenttype", properties.content_type()),
    ];
    let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.as_ref()?.to_string())));
    let headers = properties.headers().iter().flat_map(|headers| headers.inner());
    let headers = headers.filter_map(|(name, value)| Some((name.to_string(), shown(value)?)));
    own.filter(|(_, value)| !value.is_empty())
        .chain(headers)
        .map(|(name, value)| (format!("metadata.{name}"), value))
        .collect()
}

fn shown(value: &AMQPValue) -> Option<String> {
    Some(match value {
        AMQPValue::Void => return None,
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        AMQPValue::ShortString(text) => text.to_string(),
        AMQPValue::ByteArray(bytes) => String::from_utf8_lossy(bytes.as_slice()).into_owned(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(number) => number.to_string(),
        AMQPValue::ShortShortUInt(number) => number.to_string(),
        AMQPValue::ShortInt(number) => number.to_string(),
        AMQPValue::ShortUInt(number) => number.to_string(),
        AMQPValue::LongInt(number) => number.to_string(),
        AMQPValue::LongUInt(number) => number.to_string(),
        AMQPValue::LongLongInt(number) => number.to_string(),
        AMQPValue::Float(number) => number.to_string(),
        AMQPValue::Double(number) => number.to_string(),
        AMQPValue::Timestamp(seconds) => seconds.to_string(),
        other => format!("{other:?}"),
    })
}
