//! Who gets the events of a subscription.
use crate::failure::Failure;
use async_trait::async_trait;
use foundation_app::{BulkEvent, Channel, EventStatus, TopicEvent};
use std::sync::Arc;

/// Takes events and says what became of them.
#[async_trait]
pub(crate) trait Receiver: Send + Sync {
    async fn event(&self, event: &TopicEvent) -> Result<EventStatus, Failure>;

    async fn bulk_event(&self, event: &BulkEvent) -> Result<Vec<EventStatus>, Failure>;

    /// Whether it will never answer again.
    fn is_gone(&self) -> bool {
        false
    }
}

/// The app behind the sidecar.
pub(crate) struct App(pub(crate) Arc<dyn Channel>);

#[async_trait]
impl Receiver for App {
    async fn event(&self, event: &TopicEvent) -> Result<EventStatus, Failure> {
        Ok(self.0.event(event).await?)
    }

    async fn bulk_event(&self, event: &BulkEvent) -> Result<Vec<EventStatus>, Failure> {
        Ok(self.0.bulk_event(event).await?)
    }
}
