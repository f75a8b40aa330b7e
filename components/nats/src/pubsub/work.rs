//! What a subscription does with one message.
use super::ledger::{Key, Ledger};
use crate::SCOPE;
use async_nats::jetstream::AckKind;
use async_nats::{Client, Subject};
use bytes::Bytes;
use component_api::pubsub::{Deliver, Message, Verdict};
use component_api::{Ending, Metadata as Pairs};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long telling the server may take, which waits when there is no connection and much to tell.
const TELLING: Duration = Duration::from_secs(5);
/// After which time what the app failed to handle comes again, if nothing is said; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Something that came from the server, in its order.
pub(super) enum Delivery {
    Message {
        key: Key,
        /// How often it was sent, with this time.
        deliveries: i64,
        /// The server will not send it again.
        is_last: bool,
        subject: String,
        data: Bytes,
    },
    /// Whether all before it is done; the server waits for the answer.
    Question { reply: Subject },
}

impl Delivery {
    /// Whether it is lost if it is not handled now.
    pub(super) fn is_last(&self) -> bool {
        matches!(self, Self::Message { is_last: true, .. })
    }
}

/// The app's part of a subscription.
pub(super) struct Work {
    pub(super) topic: String,
    pub(super) deliver: Arc<dyn Deliver>,
    pub(super) ledger: Ledger,
    pub(super) ending: Ending,
    /// Pause after a failure; zero if nothing is said.
    pub(super) ack_wait: Duration,
    /// What failed comes to us again, and to nobody else.
    pub(super) remembers_failures: bool,
}

impl Work {
    pub(super) async fn handle(&self, delivery: Delivery, client: &Client) {
        let (key, deliveries, is_last, subject, data) = match delivery {
            Delivery::Question { reply } => return self.tell(client, reply, Bytes::new()).await,
            Delivery::Message { key, deliveries, is_last, subject, data } => (key, deliveries, is_last, subject, data),
        };
        let metadata = Pairs::from([("Topic".to_owned(), subject)]);
        let message = Message { topic: self.topic.clone(), data, content_type: None, metadata };
        let verdict = self.deliver.deliver(message).await;
        match verdict {
            Verdict::Ack | Verdict::Drop => self.done(key, client).await,
            Verdict::Retry => self.failed(key, deliveries, is_last, client).await,
        }
    }

    /// Acknowledges a message, as far as those before it allow.
    pub(super) async fn done(&self, key: Key, client: &Client) {
        if let Some(reply) = self.ledger.done(key) {
            self.tell(client, reply, AckKind::Ack.into()).await;
        }
    }

    /// Has another one handle a message that the app never saw.
    pub(super) async fn give_back(&self, delivery: &Delivery, client: &Client) {
        if let Delivery::Message { key, .. } = delivery
            && let Some(reply) = self.ledger.failed(*key)
        {
            self.tell(client, reply, AckKind::Nak(None).into()).await;
        }
    }

    async fn failed(&self, key: Key, deliveries: i64, is_last: bool, client: &Client) {
        if let Some(reply) = self.ledger.failed(key) {
            self.tell(client, reply, AckKind::Nak(self.pause(deliveries)).into()).await;
        }
        if is_last {
            tracing::warn!(target: SCOPE, "nats: a message of {} was not handled in {deliveries} tries and does not come again",
                self.topic
            );
        }
        if is_last || !self.remembers_failures {
            self.ledger.forget(key);
        }
    }

    /// An app that is on its way out lets others go on at once.
    fn pause(&self, deliveries: i64) -> Option<Duration> {
        if self.ending.has_come() {
            return None;
        }
        if !self.ack_wait.is_zero() {
            return Some(self.ack_wait);
        }
        let doublings = u32::try_from(deliveries - 1).unwrap_or_default().min(10);
        Some((PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE))
    }

    pub(super) async fn tell(&self, client: &Client, reply: Subject, what: Bytes) {
        let told = timeout(TELLING, client.publish(reply, what)).await;
        if !matches!(told, Ok(Ok(()))) {
            tracing::warn!(target: SCOPE, "nats: a message of {} will come again: the server could not be told", self.topic);
        }
    }
}
