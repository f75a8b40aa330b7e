//! `pubsub.mqtt3`: topics of MQTT, over one session for each app (components.md 1.2).
use crate::consumer::{Work, consume};
use crate::metadata::ConnectionMetadata;
use crate::session::Session;
use async_trait::async_trait;
use component_api::pubsub::{Broker, Deliver, Features, Message, PublishRequest, Subscription, Verdict};
use component_api::{
    Descriptor, Error, Metadata as Pairs, Properties, Registry, Result, Status, merged_schema, metadata_value,
};
use rumqttc::{Publish, QoS};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["mqtt3", "mqtt"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Publish/subscribe over a broker of MQTT 3.1.1, with one session for each app.",
        schema: Metadata::schema,
    };
    registry.pubsub.add(descriptor, |config| async move {
        let broker: Arc<dyn Broker> = Arc::new(MqttBroker::new(&Metadata::read(&config.properties, &config.app_id)?)?);
        Ok(broker)
    });
}

/// Publish/subscribe over a broker of MQTT 3.1.1.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    #[serde(skip)]
    pub connection: ConnectionMetadata,
    /// 0: messages may be lost; 1: they come at least once; 2: the broker gets and sends them once.
    pub qos: u8,
}

impl Default for Metadata {
    fn default() -> Self {
        Self { connection: ConnectionMetadata::default(), qos: 1 }
    }
}

impl Metadata {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read, or no `url`.
    pub fn read(properties: &Properties, app_id: &str) -> Result<Self> {
        let read: Self = properties.decode()?;
        if read.qos > 2 {
            return Err(Error::invalid(format!("invalid qos {}: it is 0, 1 or 2", read.qos)));
        }
        Ok(Self { connection: ConnectionMetadata::read(properties, app_id)?, ..read })
    }

    fn quality(&self) -> QoS {
        match self.qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        }
    }

    fn schema() -> Schema {
        merged_schema(schema_for!(Self), &[schema_for!(ConnectionMetadata)])
    }
}

/// The broker. It connects in the background.
#[derive(Debug)]
pub struct MqttBroker {
    session: Arc<Session>,
    quality: QoS,
    retain: bool,
    clean_session: bool,
    closing: CancellationToken,
}

impl MqttBroker {
    /// Begins to connect, in the background. It must be made within a tokio runtime.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new(metadata: &Metadata) -> Result<Self> {
        let connection = &metadata.connection;
        Ok(Self {
            session: Arc::new(Session::new(connection, &connection.consumer_id)?),
            quality: metadata.quality(),
            retain: connection.retain,
            clean_session: connection.clean_session,
            closing: CancellationToken::new(),
        })
    }

    fn refuse_when_closed(&self) -> Result<()> {
        if self.closing.is_cancelled() { Err(Error::other("component is closed")) } else { Ok(()) }
    }
}

#[async_trait]
impl Broker for MqttBroker {
    fn features(&self) -> Features {
        Features { subscribe_wildcards: true, ..Features::default() }
    }

    async fn publish(&self, request: PublishRequest) -> Result<()> {
        self.refuse_when_closed()?;
        let retain = match metadata_value(&request.metadata, "retain").filter(|text| !text.is_empty()) {
            Some(text) => truth(text).ok_or_else(|| Error::invalid(format!("mqtt invalid retain {text}")))?,
            None => self.retain,
        };
        self.session.publish(&request.topic, request.data, self.quality, retain).await
    }

    /// The session keeps the place of the subscription when it ends, unless `unsubscribeOnClose` is asked for.
    async fn subscribe(&self, topic: &str, request: Pairs, deliver: Arc<dyn Deliver>) -> Result<Subscription> {
        self.refuse_when_closed()?;
        let place = self.session.subscribe(topic, self.quality).await?;
        let asked = metadata_value(&request, "unsubscribeOnClose").and_then(truth).unwrap_or_default();
        let unsubscribes = asked || self.clean_session;
        let filter = unsubscribes.then(|| topic.to_owned());
        let work = Arc::new(TopicWork { deliver, session: Arc::clone(&self.session), filter });
        Ok(consume(place, self.session.client.clone(), work, self.closing.clone()))
    }

    async fn ping(&self) -> Result<()> {
        self.session.connected().await
    }

    async fn close(&self) -> Result<()> {
        self.closing.cancel();
        self.session.close().await;
        Ok(())
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "y" | "yes" | "on" => Some(true),
        "0" | "f" | "false" | "n" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Messages of a topic for the app.
struct TopicWork {
    deliver: Arc<dyn Deliver>,
    session: Arc<Session>,
    /// What the broker is to forget at the end.
    filter: Option<String>,
}

#[async_trait]
impl Work for TopicWork {
    async fn handle(&self, message: &Publish) -> bool {
        let message = Message {
            topic: String::from_utf8_lossy(&message.topic).into_owned(),
            data: message.payload.clone(),
            content_type: None,
            metadata: Pairs::from([("retained".to_owned(), message.retain.to_string())]),
        };
        self.deliver.deliver(message).await != Verdict::Retry
    }

    async fn end(&self) {
        if let Some(filter) = &self.filter {
            self.session.unsubscribe(filter).await;
        }
    }
}
