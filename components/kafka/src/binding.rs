//! `bindings.kafka`: messages of topics, in and out (components.md 1.3).
use crate::client::Cluster;
use crate::consumer::{Plan, Work, subscribe};
use crate::error::closed;
use crate::metadata::Metadata as Common;
use crate::producer::Publisher;
use crate::record::{Incoming, Naming};
use crate::values::{SchemaType, Values};
use async_trait::async_trait;
use component_api::binding::{Binding, Event, Handle, Request, Response};
use component_api::pubsub::{Subscription, Verdict};
use component_api::{Config, Descriptor, Error, Properties, Registry, Result, Status, merged_schema};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["kafka"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Messages of topics of Apache Kafka, in and out; the metadata `partitionKey` (or `__key`) and `partitionNumber` of a \
                  request say where its message goes, and `valueSchemaType: Avro` is the form of its value.",
        schema: || merged_schema(schema_for!(Metadata), &[Common::schema()]),
    };
    registry.binding.add(descriptor, |config: Config| async move {
        let binding: Arc<dyn Binding> = Arc::new(KafkaBinding::read(&config.properties, &config.app_id)?);
        Ok(binding)
    });
}

/// Messages of topics of Apache Kafka, in and out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Topics whose messages come in, divided by commas.
    pub topics: Vec<String>,
    /// Topic of the messages that go out.
    pub publish_topic: String,
}

/// The binding. It connects when it is first used.
#[derive(Debug)]
pub struct KafkaBinding {
    metadata: Metadata,
    cluster: Arc<Cluster>,
    publisher: Publisher,
    naming: Arc<Naming>,
    values: Arc<Values>,
    closing: CancellationToken,
}

impl KafkaBinding {
    /// Prepares the binding for an app; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn read(properties: &Properties, app_id: &str) -> Result<Self> {
        let (metadata, common) = (properties.decode()?, Common::read(properties, app_id, false)?);
        let connection = &common.connection;
        let naming = Arc::new(Naming::new(&connection.exclude_header_meta_regex, connection.escape_headers)?);
        let values = Arc::new(Values::new(&common.schemas)?);
        let cluster = Arc::new(Cluster::new(common)?);
        let publisher = Publisher::new(Arc::clone(&cluster));
        Ok(Self { metadata, cluster, publisher, naming, values, closing: CancellationToken::new() })
    }

    fn refuse_when_closed(&self) -> Result<()> {
        if self.closing.is_cancelled() { Err(closed()) } else { Ok(()) }
    }
}

#[async_trait]
impl Binding for KafkaBinding {
    fn is_input(&self) -> bool {
        !self.metadata.topics.is_empty()
    }

    fn operations(&self) -> Vec<String> {
        vec!["create".to_owned()]
    }

    /// Messages of a partition are handled one after the other.
    async fn read(&self, handle: Arc<dyn Handle>) -> Result<Subscription> {
        self.refuse_when_closed()?;
        if self.metadata.topics.is_empty() {
            return Err(Error::invalid("kafka binding: no topic defined: set topics"));
        }
        let plan = Plan {
            cluster: Arc::clone(&self.cluster),
            naming: Arc::clone(&self.naming),
            topics: self.metadata.topics.clone(),
            work: Arc::new(TopicsWork { handle, values: Arc::clone(&self.values) }),
            component: self.closing.clone(),
            pausing: CancellationToken::new(),
        };
        subscribe(plan).await
    }

    async fn invoke(&self, request: Request) -> Result<Response> {
        self.refuse_when_closed()?;
        if request.operation != "create" {
            return Err(Error::unsupported(format!("invalid operation type: {}. Expected create", request.operation)));
        }
        let topic = &self.metadata.publish_topic;
        if topic.is_empty() {
            return Err(Error::invalid("kafka binding: there is no topic to publish to: set publishTopic"));
        }
        let (kind, outgoing) = (SchemaType::of(&request.metadata)?, self.naming.outgoing(&request.metadata)?);
        let value = self.values.outgoing(topic, request.data, kind).await?;
        self.publisher.send(topic, outgoing, value).await?;
        Ok(Response::default())
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

/// Messages of all topics for the app.
struct TopicsWork {
    handle: Arc<dyn Handle>,
    values: Arc<Values>,
}

#[async_trait]
impl Work for TopicsWork {
    async fn handle(&self, messages: &[Incoming]) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(messages.len());
        for message in messages {
            verdicts.push(self.handle_one(message).await);
        }
        verdicts
    }
}

impl TopicsWork {
    async fn handle_one(&self, message: &Incoming) -> Verdict {
        // Values of topics that come in are as they are, whatever the schema of those that go out.
        let Ok(data) = self.values.incoming(message.value.clone(), SchemaType::None).await else {
            return Verdict::Retry;
        };
        let event = Event { data, metadata: message.metadata.clone() };
        if self.handle.handle(event).await.is_ok() { Verdict::Ack } else { Verdict::Retry }
    }
}
