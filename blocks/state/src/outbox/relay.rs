//! From the internal topic to the public one, when the transaction has happened.
use super::refusals::Refusals;
use super::{Bus, SCOPE, Settings};
use async_trait::async_trait;
use bytes::Bytes;
use component_api::Live;
use component_api::pubsub::{Deliver, Message, Verdict};
use component_api::state::{DeleteRequest, GetRequest, Store};
use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Waits between looks for the marker, in milliseconds; a transaction that takes longer than their sum is taken for one
/// that failed.
const WAITS: [u64; 9] = [50, 100, 200, 400, 800, 1500, 2500, 3000, 3000];
/// For one whose transaction was waited for before.
const AGAIN: [u64; 1] = [1000];
/// An event this old has no transaction any more: its sidecar ended before it could begin, or was refused.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(5);

/// Takes the events of one store.
pub(crate) struct Relay {
    store: String,
    settings: Settings,
    stores: Live<dyn Store>,
    bus: Arc<dyn Bus>,
    refusals: Arc<Refusals>,
}

/// The attributes of an event, as they were written.
type Attributes = BTreeMap<String, Box<RawValue>>;

impl Relay {
    pub(crate) fn new(
        store: &str,
        settings: Settings,
        stores: Live<dyn Store>,
        bus: Arc<dyn Bus>,
        refusals: Arc<Refusals>,
    ) -> Self {
        Self { store: store.to_owned(), settings, stores, bus, refusals }
    }

    async fn pass_on(&self, message: &Message) -> Result<Verdict, String> {
        let attributes: Attributes = serde_json::from_slice(&message.data).map_err(|error| error.to_string())?;
        let marker = text(&attributes, "id").unwrap_or_default();
        let Settings { publish_pubsub, publish_topic, .. } = &self.settings;
        let age = age(&attributes);
        let waits = if age > longest_transaction() { &AGAIN[..] } else { &WAITS[..] };
        if !self.wait_for(&marker, waits).await? {
            return Ok(self.given_up(message, &marker, age > LONGEST_WAIT).await);
        }
        let content_type = text(&attributes, "datacontenttype");
        let event = addressed(attributes, publish_pubsub, publish_topic)?;
        self.bus.publish(publish_pubsub, publish_topic, event, content_type).await?;
        self.forget(&marker).await?;
        Ok(Verdict::Ack)
    }

    /// Waits until the marker is in the store; false when it does not come.
    async fn wait_for(&self, marker: &str, waits: &[u64]) -> Result<bool, String> {
        let mut waits = waits.iter().copied().map(Duration::from_millis);
        loop {
            let found = self.look_for(marker).await;
            if found == Ok(true) {
                return found;
            }
            match waits.next().filter(|_| !self.refusals.has(marker)) {
                Some(wait) => sleep(wait).await,
                None => return found,
            }
        }
    }

    async fn look_for(&self, marker: &str) -> Result<bool, String> {
        let store = self.store()?;
        let found = store.get(GetRequest { key: marker.to_owned(), ..GetRequest::default() }).await;
        Ok(found.map_err(|error| error.to_string())?.is_some_and(|item| !item.data.is_empty()))
    }

    /// As long as the marker is there, the event is published again when it comes again.
    async fn forget(&self, marker: &str) -> Result<(), String> {
        let store = self.store()?;
        let mut waits = WAITS.into_iter().map(Duration::from_millis);
        loop {
            let request = DeleteRequest { key: marker.to_owned(), ..DeleteRequest::default() };
            let Err(error) = store.delete(request).await else { return Ok(()) };
            match waits.next() {
                Some(wait) => sleep(wait).await,
                None => return Err(error.to_string()),
            }
        }
    }

    fn store(&self) -> Result<Arc<dyn Store>, String> {
        let store = self.stores.get(&self.store);
        let store = store.ok_or_else(|| format!("cannot get outbox state: state store {} not found", self.store))?;
        Ok(Arc::clone(&store.component))
    }

    async fn given_up(&self, message: &Message, marker: &str, is_old: bool) -> Verdict {
        if self.refusals.has(marker) {
            return Verdict::Ack;
        }
        let Settings { publish_pubsub, discard_when_missing, .. } = &self.settings;
        let failed = format!("failed to publish outbox topic to pubsub {publish_pubsub}: outbox state not found");
        if *discard_when_missing || is_old {
            tracing::error!(target: SCOPE, "{failed}, discarding message");
            return Verdict::Ack;
        }
        tracing::error!(target: SCOPE, "{failed}, rejecting for later processing");
        self.put_off(message).await
    }

    /// Has an event come again behind all others: a sidecar that was killed leaves one without its transaction, which must not hold up
    /// a broker that keeps the order.
    async fn put_off(&self, message: &Message) -> Verdict {
        let (data, content_type) = (message.data.clone(), message.content_type.clone());
        let put_off = self.bus.publish(&self.settings.pubsub, &message.topic, data, content_type).await;
        if put_off.is_ok() { Verdict::Ack } else { Verdict::Retry }
    }
}

#[async_trait]
impl Deliver for Relay {
    async fn deliver(&self, message: Message) -> Verdict {
        self.pass_on(&message).await.unwrap_or_else(|reason| {
            tracing::error!(target: SCOPE, "failed to pass on an outbox message of store {}: {reason}", self.store);
            Verdict::Retry
        })
    }
}

/// How long ago the event was made; no time for one that does not say.
fn age(attributes: &Attributes) -> SignedDuration {
    let time = text(attributes, "time").and_then(|time| time.parse::<Timestamp>().ok());
    time.map_or(SignedDuration::ZERO, |time| Timestamp::now().duration_since(time))
}

fn longest_transaction() -> SignedDuration {
    SignedDuration::from_millis(WAITS.iter().sum::<u64>().cast_signed())
}

fn text(attributes: &Attributes, name: &str) -> Option<String> {
    serde_json::from_str(attributes.get(name)?.get()).ok()
}

/// The event for the public topic.
fn addressed(mut attributes: Attributes, pubsub: &str, topic: &str) -> Result<Bytes, String> {
    let failed = |error: serde_json::Error| error.to_string();
    for (name, value) in [("pubsubname", pubsub), ("topic", topic)] {
        attributes.insert(name.to_owned(), serde_json::value::to_raw_value(value).map_err(failed)?);
    }
    serde_json::to_vec(&attributes).map(Bytes::from).map_err(failed)
}
