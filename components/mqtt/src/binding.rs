//! `bindings.mqtt3`: messages of a topic, in and out (components.md 1.3).
use crate::consumer::{Work, consume};
use crate::metadata::ConnectionMetadata;
use crate::session::Session;
use async_trait::async_trait;
use component_api::binding::{Binding, Event, Handle, Request, Response};
use component_api::pubsub::Subscription;
use component_api::{
    Descriptor, Error, Metadata as Pairs, OnDemand, Properties, Registry, Result, Status, merged_schema, metadata_value,
};
use rumqttc::{Publish, QoS};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;
use std::future::ready;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["mqtt3", "mqtt"],
        versions: &["v1"],
        status: Status::Beta,
        summary: "Messages of a topic of a broker of MQTT 3.1.1, in and out.",
        schema: Metadata::schema,
    };
    registry.binding.add(descriptor, |config| async move {
        let binding: Arc<dyn Binding> = Arc::new(MqttBinding::new(Metadata::read(&config.properties, &config.app_id)?));
        Ok(binding)
    });
}

/// Messages of a topic of a broker of MQTT 3.1.1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    #[serde(skip)]
    pub connection: ConnectionMetadata,
    /// Required. The topic. A request may have another one.
    pub topic: String,
    /// Not used: a message that the app fails to handle is tried again until it is handled.
    pub back_off_max_retries: i64,
}

impl Metadata {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read, or no `url` or topic.
    pub fn read(properties: &Properties, app_id: &str) -> Result<Self> {
        let read: Self = properties.decode()?;
        if read.topic.is_empty() {
            return Err(Error::invalid("missing topic: set topic"));
        }
        Ok(Self { connection: ConnectionMetadata::read(properties, app_id)?, ..read })
    }

    fn schema() -> Schema {
        merged_schema(schema_for!(Self), &[schema_for!(ConnectionMetadata)])
    }
}

/// The binding. It connects when it is first used, with one session for each direction.
#[derive(Debug)]
pub struct MqttBinding {
    metadata: Metadata,
    producer: OnDemand<Arc<Session>>,
    consumer: OnDemand<Arc<Session>>,
    closing: CancellationToken,
}

impl MqttBinding {
    /// Prepares the binding; nothing is connected yet.
    pub fn new(metadata: Metadata) -> Self {
        let (producer, consumer) = (OnDemand::default(), OnDemand::default());
        Self { metadata, producer, consumer, closing: CancellationToken::new() }
    }

    async fn session(&self, sessions: &OnDemand<Arc<Session>>, direction: &str) -> Result<Arc<Session>> {
        if self.closing.is_cancelled() {
            return Err(Error::other("component is closed"));
        }
        let connection = &self.metadata.connection;
        let id = format!("{}-{direction}", connection.consumer_id);
        let (session, _) = sessions.get(|| ready(Session::new(connection, &id).map(Arc::new))).await?;
        Ok(session)
    }
}

#[async_trait]
impl Binding for MqttBinding {
    fn is_input(&self) -> bool {
        true
    }

    fn operations(&self) -> Vec<String> {
        vec!["create".to_owned()]
    }

    async fn read(&self, handle: Arc<dyn Handle>) -> Result<Subscription> {
        let session = self.session(&self.consumer, "consumer").await?;
        let place = session.subscribe(&self.metadata.topic, QoS::AtLeastOnce).await?;
        Ok(consume(place, session.client.clone(), Arc::new(TopicWork(handle)), self.closing.clone()))
    }

    async fn invoke(&self, request: Request) -> Result<Response> {
        if request.operation != "create" {
            return Err(Error::unsupported(format!("invalid operation type: {}. Expected create", request.operation)));
        }
        let session = self.session(&self.producer, "producer").await?;
        let asked = metadata_value(&request.metadata, "topic").filter(|topic| !topic.is_empty());
        let topic = asked.unwrap_or(&self.metadata.topic);
        session.publish(topic, request.data, QoS::AtLeastOnce, self.metadata.connection.retain).await?;
        Ok(Response::default())
    }

    async fn ping(&self) -> Result<()> {
        self.session(&self.producer, "producer").await?.connected().await
    }

    async fn close(&self) -> Result<()> {
        self.closing.cancel();
        for session in [self.producer.take(), self.consumer.take()].into_iter().flatten() {
            session.close().await;
        }
        Ok(())
    }
}

/// Messages of the topic for the app.
struct TopicWork(Arc<dyn Handle>);

#[async_trait]
impl Work for TopicWork {
    async fn handle(&self, message: &Publish) -> bool {
        let topic = String::from_utf8_lossy(&message.topic).into_owned();
        let event = Event { data: message.payload.clone(), metadata: Pairs::from([("topic".to_owned(), topic)]) };
        self.0.handle(event).await.is_ok()
    }

    /// The session keeps the place of the subscription.
    async fn end(&self) {}
}
