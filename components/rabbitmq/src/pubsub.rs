//! `pubsub.rabbitmq`: an exchange for each topic, and a queue for each app and topic (components.md 1.2).
mod metadata;
mod subscription;
mod topology;

pub use metadata::Metadata;

use crate::connection::{Connections, Link, closed};
use crate::consumer::{Flow, subscribe};
use crate::error::short;
use crate::properties::properties;
use async_trait::async_trait;
use component_api::pubsub::{Broker, Deliver, Features, PublishRequest, Subscription};
use component_api::{Descriptor, Error, Kind, Metadata as Pairs, Registry, Result, Status, metadata_value};
use lapin::Confirmation;
use lapin::options::BasicPublishOptions;
use std::sync::Arc;
use subscription::TopicWork;
use tokio_util::sync::CancellationToken;
use topology::{Topology, declare_exchange};

/// How many messages are sent ahead when nothing is said.
const PREFETCH: u16 = 1000;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["rabbitmq"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Publish/subscribe over RabbitMQ: an exchange for each topic, and a queue for each app and topic.",
        schema: || schemars::schema_for!(Metadata),
    };
    registry.pubsub.add(descriptor, |config| async move {
        let broker: Arc<dyn Broker> = Arc::new(RabbitBroker::new(Metadata::read(&config.properties, &config.app_id)?)?);
        Ok(broker)
    });
}

/// The broker. It connects when it is first used.
#[derive(Debug)]
pub struct RabbitBroker {
    connections: Arc<Connections>,
    metadata: Arc<Metadata>,
    closing: CancellationToken,
}

impl RabbitBroker {
    /// Prepares the broker; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new(metadata: Metadata) -> Result<Self> {
        let connections = Arc::new(Connections::new(metadata.server()?, metadata.publisher_confirm));
        Ok(Self { connections, metadata: Arc::new(metadata), closing: CancellationToken::new() })
    }

    async fn publish_on(&self, link: Link, request: &PublishRequest) -> Result<()> {
        if !link.has_declared(&request.topic) {
            declare_exchange(&self.connections, &link.channel, &request.topic, &self.metadata).await?;
            link.note_declared(&request.topic);
        }
        let (exchange, key) =
            (short(&request.topic)?, metadata_value(&request.metadata, "routingKey").unwrap_or_default());
        let properties = properties(&request.metadata, self.metadata.lifetime())?;
        // The server refuses a mode that is none.
        let properties = match self.metadata.delivery_mode {
            0 => properties,
            mode => properties.with_delivery_mode(mode),
        };
        let (options, data) = (BasicPublishOptions::default(), &request.data[..]);
        let sent = link.channel.basic_publish(exchange, short(key)?, options, data, properties);
        let confirmed = self.connections.within(async { sent.await?.await }).await?;
        match confirmed {
            Confirmation::Nack(_) => {
                Err(Error::new(Kind::Unavailable, "rabbitmq refused the message; look at its log"))
            }
            Confirmation::Ack(_) | Confirmation::NotRequested => Ok(()),
        }
    }
}

#[async_trait]
impl Broker for RabbitBroker {
    fn features(&self) -> Features {
        Features { message_ttl: true, ..Features::default() }
    }

    async fn publish(&self, request: PublishRequest) -> Result<()> {
        if self.closing.is_cancelled() {
            return Err(closed());
        }
        self.connections.with_link(|link| self.publish_on(link, &request)).await
    }

    async fn subscribe(&self, topic: &str, request: Pairs, deliver: Arc<dyn Deliver>) -> Result<Subscription> {
        if self.closing.is_cancelled() {
            return Err(closed());
        }
        let (connections, metadata) = (Arc::clone(&self.connections), Arc::clone(&self.metadata));
        let prefetch = if metadata.prefetch_count == 0 { PREFETCH } else { metadata.prefetch_count };
        let flow = Flow {
            prefetch,
            at_once: if metadata.concurrency_mode == "single" { 1 } else { prefetch.into() },
            automatic: metadata.auto_ack,
            pause: metadata.reconnect_wait.0,
        };
        let topology = Topology::new(&metadata, topic, &request)?;
        let work = TopicWork { connections: Arc::clone(&connections), metadata, topology, deliver };
        subscribe(connections, Arc::new(work), flow, self.closing.clone()).await
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
