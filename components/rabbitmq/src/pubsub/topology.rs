//! Exchanges and queues of a subscription, with the arguments that Dapr's component gives them.
use super::metadata::Metadata;
use crate::connection::Connections;
use crate::error::short;
use component_api::{Error, Metadata as Pairs, Result, metadata_value};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, ExchangeKind};

/// A subscription: its topic, its queue, and what was asked for.
#[derive(Debug)]
pub(super) struct Topology {
    pub(super) topic: String,
    pub(super) queue: String,
    routing_keys: Vec<String>,
    /// Arguments of the queue beside those of the dead letters.
    arguments: FieldTable,
}

impl Topology {
    /// # Errors
    /// Metadata of the subscription that cannot be read.
    pub(super) fn new(metadata: &Metadata, topic: &str, request: &Pairs) -> Result<Self> {
        let asked = |name: &str| metadata_value(request, name).filter(|value| !value.is_empty());
        let queue = asked("queueName").map_or_else(|| format!("{}-{topic}", metadata.consumer_id), str::to_owned);
        let keys = asked("routingKey").unwrap_or_default();
        let routing_keys = keys.split(',').map(str::to_owned).collect();
        Ok(Self { topic: topic.to_owned(), queue, routing_keys, arguments: arguments(metadata, request)? })
    }

    /// Declares all of it; returns the name of the queue.
    pub(super) async fn declare(
        &self,
        connections: &Connections,
        channel: &Channel,
        metadata: &Metadata,
    ) -> Result<ShortString> {
        declare_exchange(connections, channel, &self.topic, metadata).await?;
        let mut arguments = self.arguments.clone();
        if metadata.enable_dead_letter {
            let exchange = self.declare_dead_letters(connections, channel, metadata).await?;
            insert(&mut arguments, "x-dead-letter-exchange", text(exchange.as_str()));
        }
        let (queue, topic) = (short(&self.queue)?, short(&self.topic)?);
        declare_queue(connections, channel, &queue, metadata.durable, metadata.deleted_when_unused, arguments).await?;
        for key in &self.routing_keys {
            bind(connections, channel, &queue, &topic, key).await?;
        }
        Ok(queue)
    }

    async fn declare_dead_letters(
        &self,
        connections: &Connections,
        channel: &Channel,
        metadata: &Metadata,
    ) -> Result<ShortString> {
        let (exchange, queue) = (short(&format!("dlx-{}", self.queue))?, short(&format!("dlq-{}", self.queue))?);
        let auto_delete = metadata.deleted_when_unused;
        let options = ExchangeDeclareOptions { durable: true, auto_delete, ..ExchangeDeclareOptions::default() };
        let declare = channel.exchange_declare(exchange.clone(), ExchangeKind::Fanout, options, FieldTable::default());
        connections.within(declare).await?;
        let mut arguments = limits(metadata);
        insert(&mut arguments, "x-queue-mode", text("lazy"));
        declare_queue(connections, channel, &queue, true, auto_delete, arguments).await?;
        bind(connections, channel, &queue, &exchange, "").await?;
        Ok(exchange)
    }
}

/// Declares the exchange of a topic.
pub(super) async fn declare_exchange(
    connections: &Connections,
    channel: &Channel,
    topic: &str,
    metadata: &Metadata,
) -> Result<()> {
    let kind = match metadata.exchange_kind.as_str() {
        "topic" => ExchangeKind::Topic,
        "direct" => ExchangeKind::Direct,
        "headers" => ExchangeKind::Headers,
        _ => ExchangeKind::Fanout,
    };
    let (durable, auto_delete) = (metadata.durable, metadata.deleted_when_unused);
    let options = ExchangeDeclareOptions { durable, auto_delete, ..ExchangeDeclareOptions::default() };
    connections.within(channel.exchange_declare(short(topic)?, kind, options, FieldTable::default())).await
}

async fn declare_queue(
    connections: &Connections,
    channel: &Channel,
    queue: &ShortString,
    durable: bool,
    auto_delete: bool,
    arguments: FieldTable,
) -> Result<()> {
    let options = QueueDeclareOptions { durable, auto_delete, ..QueueDeclareOptions::default() };
    connections.within(channel.queue_declare(queue.clone(), options, arguments)).await.map(drop)
}

async fn bind(
    connections: &Connections,
    channel: &Channel,
    queue: &ShortString,
    exchange: &ShortString,
    key: &str,
) -> Result<()> {
    let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
    connections.within(channel.queue_bind(queue.clone(), exchange.clone(), short(key)?, options, arguments)).await
}

fn arguments(metadata: &Metadata, request: &Pairs) -> Result<FieldTable> {
    let asked = |name: &str| metadata_value(request, name).filter(|value| !value.is_empty());
    let mut arguments = limits(metadata);
    if let Some(highest) = asked("maxPriority") {
        let highest = u8::try_from(number("maxPriority", highest)?).unwrap_or(u8::MAX);
        insert(&mut arguments, "x-max-priority", AMQPValue::ShortShortUInt(highest));
    }
    match asked("queueType").unwrap_or("classic") {
        kind @ ("classic" | "quorum") => insert(&mut arguments, "x-queue-type", text(kind)),
        other => return Err(Error::invalid(format!("invalid queue type {other}. Valid types are classic and quorum"))),
    }
    if asked("singleActiveConsumer").is_some_and(is_truthy) {
        insert(&mut arguments, "x-single-active-consumer", AMQPValue::Boolean(true));
    }
    for (name, argument) in [("maxLenBytes", "x-max-length-bytes"), ("maxLen", "x-max-length")] {
        if let Some(value) = asked(name) {
            insert(&mut arguments, argument, AMQPValue::LongLongInt(number(name, value)?));
        }
    }
    Ok(arguments)
}

fn limits(metadata: &Metadata) -> FieldTable {
    let mut arguments = FieldTable::default();
    for (argument, most) in [("x-max-length", metadata.max_len), ("x-max-length-bytes", metadata.max_len_bytes)] {
        if most > 0 {
            insert(&mut arguments, argument, AMQPValue::LongLongInt(most));
        }
    }
    arguments
}

fn number(name: &str, value: &str) -> Result<i64> {
    let number = value.parse::<i64>().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| Error::invalid(format!("{name} of the subscription is '{value}', which is no whole number")))
}

fn is_truthy(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "y" | "yes" | "true" | "t" | "on" | "1")
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}

fn insert(arguments: &mut FieldTable, name: &'static str, value: AMQPValue) {
    arguments.insert(ShortString::from(name), value);
}
