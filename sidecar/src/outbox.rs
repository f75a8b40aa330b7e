//! The outbox's way to pub/sub.
use async_trait::async_trait;
use block_pubsub::NewEvent;
use block_state::{Bus, Event};
use bytes::Bytes;
use component_api::Instance;
use component_api::pubsub::{Broker, Deliver, Subscription};
use std::sync::Arc;

/// The pub/sub block.
pub(crate) struct Pubsub(pub(crate) Arc<block_pubsub::Service>);

#[async_trait]
impl Bus for Pubsub {
    fn make(&self, event: Event) -> Result<Bytes, String> {
        let Event { id, pubsub, data, content_type, attributes, trace } = event;
        self.0.event(&NewEvent { id, pubsub, data, content_type, attributes, trace: (&trace).into() })
    }

    async fn publish(
        &self,
        pubsub: &str,
        topic: &str,
        message: Bytes,
        content_type: Option<String>,
    ) -> Result<(), String> {
        self.0.pass_on(pubsub, topic, message, content_type).await
    }

    fn broker(&self, pubsub: &str) -> Option<Arc<Instance<dyn Broker>>> {
        self.0.broker(pubsub)
    }

    async fn listen(
        &self,
        broker: &Instance<dyn Broker>,
        topic: &str,
        deliver: Arc<dyn Deliver>,
    ) -> Result<Subscription, String> {
        self.0.listen(broker, topic, deliver).await
    }
}
