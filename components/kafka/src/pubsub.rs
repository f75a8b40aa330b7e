//! `pubsub.kafka`: topics of Kafka, with a consumer group for each app (components.md 1.2).
mod work;

use crate::client::Cluster;
use crate::consumer::{Plan, subscribe};
use crate::error::closed;
use crate::metadata::Metadata;
use crate::producer::Publisher;
use crate::record::Naming;
use crate::values::{SchemaType, Values};
use async_trait::async_trait;
use bytes::Bytes;
use component_api::pubsub::{
    Broker, BulkEntry, Deliver, FailedEntry, Features, PublishRequest, Publishing, Subscription,
};
use component_api::{Config, Descriptor, Error, Metadata as Pairs, Properties, Registry, Result, Status};
use futures_util::future::join_all;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use work::TopicWork;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["kafka"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Publish/subscribe over topics of Apache Kafka, with a consumer group for each app; the metadata `partitionKey` (or \
                  `__key`) and `partitionNumber` of a message say where it goes, and `valueSchemaType: Avro` of a message or a \
                  subscription is the form of its values.",
        schema: Metadata::schema,
    };
    registry.pubsub.add(descriptor, |config: Config| async move {
        let broker: Arc<dyn Broker> = Arc::new(KafkaBroker::read(&config.properties, &config.app_id)?);
        Ok(broker)
    });
}

/// The broker. It connects when it is first used.
#[derive(Debug)]
pub struct KafkaBroker {
    cluster: Arc<Cluster>,
    publisher: Publisher,
    naming: Arc<Naming>,
    values: Arc<Values>,
    closing: CancellationToken,
    pausing: CancellationToken,
}

impl KafkaBroker {
    /// Prepares the broker for an app; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn read(properties: &Properties, app_id: &str) -> Result<Self> {
        let metadata = Metadata::read(properties, app_id, true)?;
        let connection = &metadata.connection;
        let naming = Arc::new(Naming::new(&connection.exclude_header_meta_regex, connection.escape_headers)?);
        let values = Arc::new(Values::new(&metadata.schemas)?);
        let cluster = Arc::new(Cluster::new(metadata)?);
        let publisher = Publisher::new(Arc::clone(&cluster));
        let (closing, pausing) = (CancellationToken::new(), CancellationToken::new());
        Ok(Self { cluster, publisher, naming, values, closing, pausing })
    }

    async fn send(&self, topic: &str, data: Bytes, metadata: &Pairs, kind: SchemaType) -> Result<()> {
        let outgoing = self.naming.outgoing(metadata)?;
        let value = self.values.outgoing(topic, data, kind).await?;
        self.publisher.send(topic, outgoing, value).await
    }

    /// Metadata of the whole request go before those of an entry.
    async fn send_entry(&self, topic: &str, entry: BulkEntry, more: &Pairs, kind: SchemaType) -> Option<FailedEntry> {
        let BulkEntry { entry_id, data, mut metadata, .. } = entry;
        metadata.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
        let sent = self.send(topic, data, &metadata, kind).await;
        sent.err().map(|error| FailedEntry { entry_id, error })
    }
}

#[async_trait]
impl Broker for KafkaBroker {
    fn features(&self) -> Features {
        Features { bulk_publish: true, ..Features::default() }
    }

    async fn publish(&self, request: PublishRequest) -> Result<()> {
        let kind = SchemaType::of(&request.metadata)?;
        self.send(&request.topic, request.data, &request.metadata, kind).await
    }

    async fn subscribe(&self, topic: &str, request: Pairs, deliver: Arc<dyn Deliver>) -> Result<Subscription> {
        if self.closing.is_cancelled() {
            return Err(closed());
        }
        let (values, kind) = (Arc::clone(&self.values), SchemaType::of(&request)?);
        let work = Arc::new(TopicWork { topic: topic.to_owned(), deliver, values, kind });
        let plan = Plan {
            cluster: Arc::clone(&self.cluster),
            naming: Arc::clone(&self.naming),
            topics: vec![topic.to_owned()],
            work,
            component: self.closing.clone(),
            pausing: self.pausing.clone(),
        };
        subscribe(plan).await
    }

    /// All entries are on their way at the same time, in their order.
    async fn bulk_publish(&self, topic: &str, entries: Vec<BulkEntry>, metadata: Pairs) -> Vec<FailedEntry> {
        let kind = match SchemaType::of(&metadata) {
            Ok(kind) => kind,
            Err(error) => return all_failed(entries, &error),
        };
        let sent = join_all(entries.into_iter().map(|entry| self.send_entry(topic, entry, &metadata, kind))).await;
        sent.into_iter().flatten().collect()
    }

    async fn pause(&self, _: Publishing) -> Result<()> {
        self.pausing.cancel();
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        self.publisher.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.closing.cancel();
        self.publisher.close().await;
        Ok(())
    }
}

fn all_failed(entries: Vec<BulkEntry>, error: &Error) -> Vec<FailedEntry> {
    entries.into_iter().map(|entry| FailedEntry { entry_id: entry.entry_id, error: error.clone() }).collect()
}
