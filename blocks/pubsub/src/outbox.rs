//! What the outbox of a state store needs: events made in its name, and messages passed on as they are
//! (protocols.md 7.5).
use crate::envelope::{Unwrapped, wrap};
use crate::model::Trace;
use crate::service::{Service, Unsent};
use bytes::Bytes;
use component_api::pubsub::{Broker, Deliver, PublishRequest, Subscription};
use component_api::{Instance, Metadata};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An event that is to be made.
#[derive(Clone, Debug, Default)]
pub struct NewEvent {
    pub id: String,
    pub pubsub: String,
    pub data: Bytes,
    /// Empty stands for `text/plain`.
    pub content_type: String,
    /// More attributes, or other values for them.
    pub attributes: Metadata,
    pub trace: Trace,
}

impl Service {
    /// The JSON text of an event of the own app.
    ///
    /// # Errors
    /// What is wrong with the data.
    pub fn event(&self, event: &NewEvent) -> Result<Bytes, String> {
        let id = Metadata::from([("cloudevent.id".to_owned(), event.id.clone())]);
        let text = wrap(&Unwrapped {
            app_id: self.app_id(),
            pubsub: &event.pubsub,
            topic: "",
            data: &event.data,
            content_type: &event.content_type,
            metadata: &id,
            trace: &event.trace,
            broker_expires: true,
        })?;
        let failed = |error: serde_json::Error| error.to_string();
        let mut all: BTreeMap<String, Box<serde_json::value::RawValue>> =
            serde_json::from_slice(&text).map_err(failed)?;
        for (name, value) in &event.attributes {
            all.insert(name.clone(), serde_json::value::to_raw_value(value).map_err(failed)?);
        }
        serde_json::to_vec(&all).map(Bytes::from).map_err(failed)
    }

    /// Publishes a message as it is, within the scopes and the policy of the component.
    ///
    /// # Errors
    /// What the broker says, or that the topic is not allowed.
    pub async fn pass_on(
        &self,
        pubsub: &str,
        topic: &str,
        data: Bytes,
        content_type: Option<String>,
    ) -> Result<(), String> {
        let message = PublishRequest { topic: topic.to_owned(), data, content_type, metadata: Metadata::new() };
        let sent = self.send(pubsub, message).await;
        sent.map_err(|unsent| match unsent {
            Unsent::NotFound => format!("pubsub '{pubsub}' not found"),
            Unsent::Forbidden => format!("topic {topic} is not allowed for app id {}", self.app_id()),
            Unsent::Failed(failure) => failure.to_string(),
        })
    }

    /// The component of that name.
    pub fn broker(&self, pubsub: &str) -> Option<Arc<Instance<dyn Broker>>> {
        self.brokers().get(pubsub)
    }

    /// Takes the messages of a topic as they are.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn listen(
        &self,
        broker: &Instance<dyn Broker>,
        topic: &str,
        deliver: Arc<dyn Deliver>,
    ) -> Result<Subscription, String> {
        let topic = self.topics(broker).at_broker(topic).into_owned();
        let subscribed = broker.component.subscribe(&topic, Metadata::new(), deliver).await;
        subscribed.map_err(|error| error.to_string())
    }
}
