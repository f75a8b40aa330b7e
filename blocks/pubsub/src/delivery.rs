//! One message on its way from the broker to the app (surface.md 6.4, protocols.md 7.2 and 7.3).
use crate::event::{Event, read};
use crate::failure::Failure;
use crate::model::raw_payload;
use crate::receiver::Receiver;
use crate::rules::Rules;
use crate::scopes::Topics;
use crate::service::Service;
use crate::spans::of_delivery;
use async_trait::async_trait;
use component_api::pubsub::{Deliver, Message, PublishRequest, Verdict};
use foundation_app::{EventStatus, Subscription, TopicEvent};
use foundation_drain::isolated;
use foundation_resiliency::ComponentKind;
use foundation_telemetry::{Ingress, Span};
use http::HeaderMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;

pub(crate) const SCOPE: &str = "dapr.runtime.processor.subscription";

/// How long publishing to the dead letter topic may take.
const DEAD_LETTER: Duration = Duration::from_secs(30);

/// Delivers the messages of one subscription.
pub(crate) struct Delivery {
    pub service: Arc<Service>,
    pub receiver: Arc<dyn Receiver>,
    pub subscription: Subscription,
    pub rules: Rules,
    pub topics: Topics,
    /// The subscription ends: what fails now is for the next one.
    pub closing: AtomicBool,
}

/// What is to be done with a message.
enum Way {
    Deliver(Box<TopicEvent>, Option<Span>),
    /// The app does not want it, or it is too old.
    Drop {
        status: &'static str,
    },
    /// It cannot be made out whether the app wants it.
    Fail(String),
}

#[async_trait]
impl Deliver for Delivery {
    /// A panic is a failure of this one message.
    async fn deliver(&self, message: Message) -> Verdict {
        isolated(self.deliver_one(message)).await.unwrap_or(Verdict::Retry)
    }
}

impl Delivery {
    async fn deliver_one(&self, mut message: Message) -> Verdict {
        self.complete(&mut message);
        let topic = self.topics.at_app(&message.topic).into_owned();
        match self.way(&message, &topic).await {
            Way::Deliver(event, span) => {
                let verdict = self.hand_out(&event, &message).await;
                if let Some(span) = span.filter(|_| verdict == Verdict::Retry) {
                    span.fail("the app did not take the event");
                }
                verdict
            }
            Way::Drop { status } => {
                self.count(&topic, "drop", status, Duration::ZERO);
                self.dead_letter(&message).await;
                Verdict::Drop
            }
            Way::Fail(reason) => {
                tracing::error!(target: SCOPE, "{reason}");
                self.fail(&message, &topic).await
            }
        }
    }

    /// What the app gets to know of the message beside the event.
    fn complete(&self, message: &mut Message) {
        if let Some(content_type) = &message.content_type {
            message.metadata.insert("content-type".to_owned(), content_type.clone());
        }
        message.metadata.insert("pubsubName".to_owned(), self.subscription.pubsub.clone());
    }

    async fn way(&self, message: &Message, topic: &str) -> Way {
        let pubsub = &self.subscription.pubsub;
        let raw = match raw_payload(&self.subscription.metadata) {
            Ok(raw) => raw,
            Err(error) => return Way::Fail(format!("error deserializing pubsub metadata: {error}")),
        };
        let event = match read(message, raw, pubsub, topic) {
            Ok(event) => event,
            Err(error) => {
                return Way::Fail(format!(
                    "error deserializing cloud event in pubsub {pubsub} and topic {topic}: {error}"
                ));
            }
        };
        let id = event.id();
        if event.is_expired() {
            tracing::warn!(target: SCOPE, "dropping expired pub/sub event {id}");
            return Way::Drop { status: "drop" };
        }
        match self.rules.path(&event.envelope).await {
            Ok(Some(path)) => {
                let path = path.to_owned();
                let span = of_delivery(self.service.tracer(), topic, &event.envelope);
                let event = self.topic_event(event, path, topic, message, span.as_ref());
                Way::Deliver(Box::new(event), span)
            }
            Ok(None) => {
                tracing::debug!(target: SCOPE, "no matching route for event {id} in pubsub {pubsub} and topic {topic}; skipping");
                Way::Drop { status: "success" }
            }
            Err(error) => Way::Fail(format!(
                "error finding matching route for event {id} in pubsub {pubsub} and topic {topic}: {error}"
            )),
        }
    }

    fn topic_event(
        &self,
        event: Event,
        path: String,
        topic: &str,
        message: &Message,
        span: Option<&Span>,
    ) -> TopicEvent {
        let mut headers = HeaderMap::new();
        if let Some(span) = span {
            span.context().write_metadata(&mut headers);
        }
        TopicEvent {
            path,
            pubsub: self.subscription.pubsub.clone(),
            topic: topic.to_owned(),
            envelope: event.envelope,
            body: event.body,
            metadata: message.metadata.clone(),
            headers,
        }
    }

    async fn hand_out(&self, event: &TopicEvent, message: &Message) -> Verdict {
        // No policy helps when nobody is there to answer: the event is for the next subscription.
        let attempt = || async {
            match self.attempt(event, message).await {
                Err(_) if self.receiver.is_gone() => Ok(Verdict::Retry),
                tried => tried.map(|()| Verdict::Ack),
            }
        };
        let policy = self.service.resiliency().inbound(&self.subscription.pubsub, ComponentKind::Pubsub);
        let failure = match policy.run(attempt).await {
            Ok(verdict) => return verdict,
            Err(error) => Failure::from(error),
        };
        tracing::warn!(target: SCOPE, "encountered a retriable error while publishing a subscribed message to topic {}, err: {failure}", event.topic);
        if self.closing.load(Ordering::Relaxed) {
            return Verdict::Retry;
        }
        self.fail(message, &event.topic).await
    }

    async fn attempt(&self, event: &TopicEvent, message: &Message) -> Result<(), Failure> {
        let start = Instant::now();
        let said = self.receiver.event(event).await;
        let elapsed = start.elapsed();
        tracing::debug!(target: SCOPE, "the app was given an event of topic {} at {} and said {said:?} in {elapsed:?}", event.topic, event.path);
        match said {
            Ok(EventStatus::Success) => {
                self.count(&event.topic, "success", "success", elapsed);
                Ok(())
            }
            Ok(EventStatus::Drop) => {
                self.count(&event.topic, "drop", "success", elapsed);
                let lost = !self.subscription.dead_letter_topic.is_empty() && !self.dead_letter(message).await;
                if lost { Err(Failure::new("pubsub message dropped")) } else { Ok(()) }
            }
            Ok(EventStatus::Retry) => {
                self.count(&event.topic, "retry", "retry", elapsed);
                Err(Failure::new("RETRY status returned from app while processing pub/sub event"))
            }
            Err(failure) => {
                self.count(&event.topic, "retry", "retry", elapsed);
                Err(failure)
            }
        }
    }

    /// What failed goes to the dead letter topic; without one the broker shall deliver it again.
    async fn fail(&self, message: &Message, topic: &str) -> Verdict {
        if self.dead_letter(message).await {
            self.count(topic, "drop", "drop", Duration::ZERO);
            return Verdict::Ack;
        }
        self.count(topic, "retry", "retry", Duration::ZERO);
        Verdict::Retry
    }

    /// Whether there is a dead letter topic and it has the message.
    pub(crate) async fn dead_letter(&self, message: &Message) -> bool {
        let Subscription { pubsub, dead_letter_topic, .. } = &self.subscription;
        if dead_letter_topic.is_empty() {
            return false;
        }
        let Message { topic, data, content_type, metadata } = message.clone();
        let request = PublishRequest { topic: dead_letter_topic.clone(), data, content_type, metadata };
        let sent = timeout(DEAD_LETTER, self.service.send(pubsub, request)).await;
        let problem = match sent {
            Ok(Ok(())) => return true,
            Ok(Err(unsent)) => unsent.to_string(),
            Err(_) => "it took too long".to_owned(),
        };
        tracing::error!(target: SCOPE, "error sending message to dead letter, origin topic: {topic} dead letter topic {dead_letter_topic} err: {problem}");
        false
    }

    fn count(&self, topic: &str, process_status: &'static str, status: &'static str, elapsed: Duration) {
        let component = &self.subscription.pubsub;
        self.service.metrics().pubsub_ingress(Ingress { component, topic, process_status, status, elapsed });
    }
}
