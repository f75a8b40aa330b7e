//! `pubsub.jetstream`: topics are subjects of streams (components.md 1.2).
mod consumer;
mod ledger;
mod metadata;
mod subscription;
mod work;

pub use metadata::Metadata;

use crate::connection::{Connections, closed};
use async_nats::jetstream::message::PublishMessage;
use async_trait::async_trait;
use component_api::pubsub::{Broker, Deliver, Features, PublishRequest, Subscription};
use component_api::{Descriptor, Error, Kind, Metadata as Pairs, Registry, Result, Status};
use consumer::Plan;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often, and after which pauses, a message is offered again when no stream takes it: one may be about to move.
const OFFERS: usize = 3;
const PAUSE: Duration = Duration::from_millis(250);

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["jetstream"],
        versions: &["v1"],
        status: Status::Beta,
        summary: "Publish/subscribe over streams of NATS JetStream, which have to exist.",
        schema: || schemars::schema_for!(Metadata),
    };
    registry.pubsub.add(descriptor, |config| async move {
        let broker: Arc<dyn Broker> = Arc::new(JetStreamBroker::new(Metadata::read(&config.properties)?)?);
        Ok(broker)
    });
}

/// The broker. It connects when it is first used.
#[derive(Debug)]
pub struct JetStreamBroker {
    connections: Arc<Connections>,
    metadata: Arc<Metadata>,
    closing: CancellationToken,
}

impl JetStreamBroker {
    /// Prepares the broker; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new(metadata: Metadata) -> Result<Self> {
        let connections = Arc::new(Connections::new(metadata.server()?, metadata.interface()));
        Ok(Self { connections, metadata: Arc::new(metadata), closing: CancellationToken::new() })
    }

    async fn offer(&self, topic: &str, message: PublishMessage) -> Result<()> {
        let link = self.connections.link().await?;
        let sent = async { link.context.send_publish(topic.to_owned(), message).await?.await };
        link.within(sent).await.map(drop)
    }
}

#[async_trait]
impl Broker for JetStreamBroker {
    fn features(&self) -> Features {
        Features::default()
    }

    async fn publish(&self, request: PublishRequest) -> Result<()> {
        if self.closing.is_cancelled() {
            return Err(closed());
        }
        check_subject(&request.topic)?;
        let message = PublishMessage::build().payload(request.data.clone());
        let message = match event_id(&request.data) {
            Some(id) => message.message_id(id),
            None => message,
        };
        for _ in 1..OFFERS {
            match self.offer(&request.topic, message.clone()).await {
                Err(error) if error.kind() == Kind::NotFound => sleep(PAUSE).await,
                done => return done,
            }
        }
        self.offer(&request.topic, message).await
    }

    async fn subscribe(&self, topic: &str, _request: Pairs, deliver: Arc<dyn Deliver>) -> Result<Subscription> {
        if self.closing.is_cancelled() {
            return Err(closed());
        }
        check_subject(topic)?;
        let (metadata, server) = (Arc::clone(&self.metadata), self.connections.server.name.clone());
        let plan = Plan { metadata, topic: topic.to_owned(), server };
        subscription::subscribe(Arc::clone(&self.connections), plan, deliver, self.closing.clone()).await
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

/// The id of the event, by which the stream knows messages that it has already.
fn event_id(data: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Event {
        id: Option<serde_json::Value>,
    }
    // A list would be read as the fields in their order.
    let data = data.trim_ascii_start();
    let event = data.starts_with(b"{").then(|| serde_json::from_slice::<Event>(data).ok())??;
    let id = event.id?.as_str()?.to_owned();
    Some(id).filter(|id| !id.is_empty() && !id.contains(['\r', '\n']))
}

fn check_subject(topic: &str) -> Result<()> {
    let is_wrong = |part: &str| part.is_empty() || part.contains(char::is_whitespace);
    if topic.split('.').any(is_wrong) {
        return Err(Error::invalid(format!("'{topic}' is no subject of NATS: it has empty parts or white space")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_events() {
        assert_eq!(event_id(br#" {"id":"a","data":1}"#).as_deref(), Some("a"));
        for text in [r#"{"id":1}"#, r#"{"id":""}"#, r#"{"id":"a\r\nb"}"#, r#"["a"]"#, "text", "{}"] {
            assert_eq!(event_id(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn subjects() {
        assert!(check_subject("a.b-c/d").is_ok() && check_subject("a.*.>").is_ok());
        for topic in ["", ".a", "a.", "a..b", "a b"] {
            assert!(check_subject(topic).is_err(), "{topic}");
        }
    }
}
