//! `pubsub.redis`: a stream for each topic and a consumer group for each app (components.md 1.2).
//!
//! Entries are those of Dapr's component: `data`, and `metadata` as a JSON object. A message is acknowledged after the
//! app's verdict. What was refused, or belonged to a process that is gone, is claimed after `processingTimeout`; what is
//! being handled is kept from other processes however long that takes.
mod claim;
mod consumer;
mod entry;
mod group;
mod metadata;

pub use metadata::{Metadata, PubSubMetadata};

use crate::SCOPE;
use crate::connection::Connections;
use async_trait::async_trait;
use component_api::pubsub::{Broker, Deliver, Features, PublishRequest, Subscription};
use component_api::{Descriptor, Error, Metadata as Pairs, Registry, Result, Status, Task};
use consumer::Consumer;
use group::Group;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["redis"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Publish/subscribe over Redis streams, with a consumer group for each app.",
        schema: Metadata::schema,
    };
    registry.pubsub.add(descriptor, |config| async move {
        let metadata = Metadata::read(&config.properties, &config.app_id)?;
        let broker: Arc<dyn Broker> = Arc::new(RedisStreams::new(metadata)?);
        Ok(broker)
    });
}

/// The broker. It connects when it is first used.
#[derive(Debug)]
pub struct RedisStreams {
    connections: Arc<Connections>,
    metadata: PubSubMetadata,
    closing: CancellationToken,
}

impl RedisStreams {
    /// Prepares the broker; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new(metadata: Metadata) -> Result<Self> {
        let connections = Arc::new(Connections::new(&metadata.connection)?);
        Ok(Self { connections, metadata: metadata.own, closing: CancellationToken::new() })
    }

    fn refuse_when_closed(&self) -> Result<()> {
        if self.closing.is_cancelled() { Err(Error::other("component is closed")) } else { Ok(()) }
    }
}

#[async_trait]
impl Broker for RedisStreams {
    fn features(&self) -> Features {
        Features::default()
    }

    async fn publish(&self, request: PublishRequest) -> Result<()> {
        self.refuse_when_closed()?;
        let mut add = redis::cmd("XADD");
        add.arg(&request.topic);
        if self.metadata.max_len_approx > 0 {
            add.arg("MAXLEN").arg("~").arg(self.metadata.max_len_approx);
        } else if !self.metadata.stream_ttl.0.is_zero() {
            let oldest = now().saturating_sub(self.metadata.stream_ttl.0.as_millis());
            add.arg("MINID").arg("~").arg(format!("{oldest}-1"));
        }
        add.arg("*").arg("data").arg(&request.data[..]);
        add.arg("metadata").arg(entry::metadata_text(&request.metadata));
        self.connections.run(&add).await
    }

    /// The group begins with the first message of the topic, so that a server that comes up later loses none.
    async fn subscribe(&self, topic: &str, _: Pairs, deliver: Arc<dyn Deliver>) -> Result<Subscription> {
        self.refuse_when_closed()?;
        let group = Group::new(Arc::clone(&self.connections), topic, &self.metadata.consumer_id);
        match group.create().await {
            Err(error) if error.is_temporary() => {
                tracing::warn!(target: SCOPE, "redis streams: subscribing to {topic} is tried again: {error}");
            }
            created => created?,
        }
        let consumer = Consumer::new(group, self.metadata.clone(), deliver);
        let closing = self.closing.clone();
        let run = |stopping: CancellationToken| async move {
            consumer
                .run(async {
                    tokio::select! { () = stopping.cancelled() => {}, () = closing.cancelled() => {} }
                })
                .await;
        };
        Ok(Subscription::new(Task::spawn(run)))
    }

    async fn ping(&self) -> Result<()> {
        self.connections.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.closing.cancel();
        self.connections.close();
        Ok(())
    }
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_millis()).unwrap_or_default()
}
