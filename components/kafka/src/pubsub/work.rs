//! Messages of a topic for the app.
use crate::SCOPE;
use crate::consumer::Work;
use crate::record::Incoming;
use crate::values::{SchemaType, Values};
use async_trait::async_trait;
use component_api::Result;
use component_api::pubsub::{Deliver, Message, Verdict};
use std::sync::Arc;
use std::time::Duration;

/// How long messages of a bulk wait for each other if nothing is said.
const WAIT: Duration = Duration::from_secs(10);

/// What a subscription does with messages.
pub(super) struct TopicWork {
    pub(super) topic: String,
    pub(super) deliver: Arc<dyn Deliver>,
    pub(super) values: Arc<Values>,
    pub(super) kind: SchemaType,
}

#[async_trait]
impl Work for TopicWork {
    fn batch(&self) -> (usize, Duration) {
        (self.deliver.batch_size().max(1), self.deliver.batch_wait().unwrap_or(WAIT))
    }

    async fn handle(&self, messages: &[Incoming]) -> Vec<Verdict> {
        let mut good = Vec::with_capacity(messages.len());
        for message in messages {
            match self.message(message).await {
                Ok(message) => good.push(message),
                Err(error) => {
                    tracing::error!(target: SCOPE, "kafka: message {} of {} cannot be read: {error}", message.offset, self.topic);
                    break;
                }
            }
        }
        // What cannot be read, and what comes after it, has to wait.
        self.deliver_all(good).await
    }
}

impl TopicWork {
    async fn message(&self, message: &Incoming) -> Result<Message> {
        let data = self.values.incoming(message.value.clone(), self.kind).await?;
        Ok(Message { topic: self.topic.clone(), data, content_type: None, metadata: message.metadata.clone() })
    }

    async fn deliver_all(&self, mut messages: Vec<Message>) -> Vec<Verdict> {
        if messages.is_empty() {
            return Vec::new();
        }
        if self.deliver.batch_size() > 1 {
            return self.deliver.deliver_batch(messages).await;
        }
        match messages.pop() {
            Some(message) => vec![self.deliver.deliver(message).await],
            None => Vec::new(),
        }
    }
}
