//! `bindings.rabbitmq`: messages of a queue, in and out (components.md 1.3).
mod metadata;

pub use metadata::Metadata;

use crate::connection::{Connections, Link, closed};
use crate::consumer::{Answer, Flow, Work, subscribe};
use crate::error::short;
use crate::properties::properties;
use async_trait::async_trait;
use component_api::binding::{Binding, Event, Handle, Request, Response};
use component_api::pubsub::Subscription;
use component_api::{Descriptor, Error, Metadata as Pairs, Registry, Result, Status};
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How many messages are sent ahead when nothing is said.
const PREFETCH: u16 = 1000;
/// Messages outlive a restart of the server if their queue does.
const PERSISTENT: u8 = 2;
/// What is not escaped in the name of a header that becomes metadata.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["rabbitmq"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Messages of a queue of RabbitMQ, in and out.",
        schema: || schemars::schema_for!(Metadata),
    };
    registry.binding.add(descriptor, |config| async move {
        let binding: Arc<dyn Binding> = Arc::new(RabbitBinding::new(Metadata::read(&config.properties)?)?);
        Ok(binding)
    });
}

/// The binding. It connects when it is first used.
#[derive(Debug)]
pub struct RabbitBinding {
    connections: Arc<Connections>,
    metadata: Arc<Metadata>,
    closing: CancellationToken,
}

impl RabbitBinding {
    /// Prepares the binding; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new(metadata: Metadata) -> Result<Self> {
        let connections = Arc::new(Connections::new(metadata.server()?, false));
        Ok(Self { connections, metadata: Arc::new(metadata), closing: CancellationToken::new() })
    }

    async fn create(&self, link: Link, request: &Request) -> Result<()> {
        let queue = &self.metadata.queue_name;
        if !link.has_declared(queue) {
            declare(&self.connections, &link.channel, &self.metadata).await?;
            link.note_declared(queue);
        }
        let properties = properties(&request.metadata, None)?.with_headers(headers(&request.metadata)?);
        let properties = properties.with_delivery_mode(PERSISTENT);
        let (options, data) = (BasicPublishOptions::default(), &request.data[..]);
        let sent = link.channel.basic_publish(short("")?, short(queue)?, options, data, properties);
        self.connections.within(async { sent.await?.await }).await.map(drop)
    }
}

#[async_trait]
impl Binding for RabbitBinding {
    fn is_input(&self) -> bool {
        true
    }

    fn operations(&self) -> Vec<String> {
        vec!["create".to_owned()]
    }

    /// Messages are handled one after the other; what the app fails to handle comes again.
    async fn read(&self, handle: Arc<dyn Handle>) -> Result<Subscription> {
        if self.closing.is_cancelled() {
            return Err(closed());
        }
        let (connections, metadata) = (Arc::clone(&self.connections), Arc::clone(&self.metadata));
        let prefetch = if metadata.prefetch_count == 0 { PREFETCH } else { metadata.prefetch_count };
        let flow = Flow { prefetch, at_once: 1, automatic: false, pause: metadata.reconnect_wait.0 };
        let work = QueueWork { connections: Arc::clone(&connections), metadata, handle };
        subscribe(connections, Arc::new(work), flow, self.closing.clone()).await
    }

    async fn invoke(&self, request: Request) -> Result<Response> {
        if self.closing.is_cancelled() {
            return Err(closed());
        }
        if request.operation != "create" {
            return Err(Error::unsupported(format!("invalid operation type: {}. Expected create", request.operation)));
        }
        self.connections.with_link(|link| self.create(link, &request)).await?;
        Ok(Response::default())
    }

    async fn ping(&self) -> Result<()> {
        self.connections.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.closing.cancel();
        self.connections.close().await;
        Ok(())
    }
}

/// Messages of the queue for the app.
struct QueueWork {
    connections: Arc<Connections>,
    metadata: Arc<Metadata>,
    handle: Arc<dyn Handle>,
}

#[async_trait]
impl Work for QueueWork {
    fn name(&self) -> &str {
        &self.metadata.queue_name
    }

    async fn prepare(&self, channel: &Channel) -> Result<ShortString> {
        declare(&self.connections, channel, &self.metadata).await?;
        short(&self.metadata.queue_name)
    }

    async fn handle(&self, delivery: &Delivery) -> Answer {
        let event = Event { data: delivery.data.clone().into(), metadata: texts(delivery) };
        if self.handle.handle(event).await.is_ok() { Answer::Done } else { Answer::Again }
    }
}

async fn declare(connections: &Connections, channel: &Channel, metadata: &Metadata) -> Result<()> {
    let options = QueueDeclareOptions {
        durable: metadata.durable,
        exclusive: metadata.exclusive,
        auto_delete: metadata.delete_when_unused,
        ..QueueDeclareOptions::default()
    };
    let mut arguments = FieldTable::default();
    if let Some(lifetime) = metadata.lifetime() {
        let milliseconds = i32::try_from(lifetime.as_millis()).unwrap_or(i32::MAX);
        arguments.insert("x-message-ttl".into(), AMQPValue::LongInt(milliseconds));
    }
    if let Some(highest) = metadata.max_priority {
        let highest = u8::try_from(highest).unwrap_or(u8::MAX);
        arguments.insert("x-max-priority".into(), AMQPValue::ShortShortUInt(highest));
    }
    connections.within(channel.queue_declare(short(&metadata.queue_name)?, options, arguments)).await.map(drop)
}

fn headers(metadata: &Pairs) -> Result<FieldTable> {
    let mut headers = FieldTable::default();
    for (name, value) in metadata {
        headers.insert(short(name)?, AMQPValue::LongString(LongString::from(value.as_str())));
    }
    Ok(headers)
}

/// Headers that are texts, under names that may be those of HTTP headers.
fn texts(delivery: &Delivery) -> Pairs {
    let headers = delivery.properties.headers().iter().flat_map(|headers| headers.inner());
    let text = |(name, value): (&ShortString, &AMQPValue)| match value {
        AMQPValue::LongString(text) => Some((
            utf8_percent_encode(name.as_str(), ESCAPED).to_string().replace("%20", "+"),
            String::from_utf8_lossy(text.as_bytes()).into_owned(),
        )),
        _ => None,
    };
    headers.filter_map(text).collect()
}
