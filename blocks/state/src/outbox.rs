//! The outbox of a store: what a transaction writes is also published, once the transaction is known to have happened
//! (protocols.md 7.5).
//!
//! Each entry of the transaction gets a marker, which is written with it, and an event on an internal topic. Whoever takes
//! the event from there looks for the marker: when it is in the store, the transaction happened, and the event goes on to
//! the topic that apps subscribe to.
mod event;
mod relay;

pub use event::Event;

use crate::outbox::relay::Relay;
use async_trait::async_trait;
use bytes::Bytes;
use component_api::pubsub::{Broker, Deliver, Subscription};
use component_api::state::{Concurrency, Consistency, Operation, SetRequest, Store, Value};
use component_api::{Instance, Live, Metadata, Properties};
use foundation_metadata::is_truthy;
use foundation_telemetry::SpanContext;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

const SCOPE: &str = "dapr.outbox";
/// Marks an entry that is published and not written.
const PROJECTION: &str = "outbox.projection";

/// The pub/sub block, as the outbox sees it. What goes wrong is a sentence.
#[async_trait]
pub trait Bus: Send + Sync {
    /// The JSON text of an event of the own app.
    fn make(&self, event: Event) -> Result<Bytes, String>;

    /// Publishes a message as it is.
    async fn publish(
        &self,
        pubsub: &str,
        topic: &str,
        message: Bytes,
        content_type: Option<String>,
    ) -> Result<(), String>;

    /// The component of that name, which may be replaced while the sidecar runs.
    fn broker(&self, pubsub: &str) -> Option<Arc<Instance<dyn Broker>>>;

    /// Takes the messages of a topic until the subscription is dropped.
    async fn listen(
        &self,
        broker: &Instance<dyn Broker>,
        topic: &str,
        deliver: Arc<dyn Deliver>,
    ) -> Result<Subscription, String>;
}

/// The outboxes of all stores.
pub struct Outbox {
    app_id: String,
    namespace: String,
    stores: Live<dyn Store>,
    bus: Arc<dyn Bus>,
    /// By store.
    serving: Mutex<BTreeMap<String, Serving>>,
}

/// An outbox whose events are passed on.
struct Serving {
    settings: Settings,
    broker: Arc<Instance<dyn Broker>>,
    subscription: Subscription,
}

impl Outbox {
    /// Over these stores; `namespace` is the one of the app.
    pub fn new(
        app_id: impl Into<String>,
        namespace: impl Into<String>,
        stores: Live<dyn Store>,
        bus: Arc<dyn Bus>,
    ) -> Self {
        Self { app_id: app_id.into(), namespace: namespace.into(), stores, bus, serving: Mutex::default() }
    }

    /// Passes on the events of all stores that have an outbox, as they and their brokers are now.
    pub async fn reconcile(&self) {
        let stores = self.stores.all();
        let settings = |name: &String| stores.get(name).and_then(|store| Settings::of(&store.properties));
        self.serving()
            .retain(|name, serving| settings(name).is_some_and(|settings| self.is_current(serving, &settings)));
        for name in stores.keys() {
            let Some(settings) = settings(name).filter(|_| !self.serving().contains_key(name)) else { continue };
            match self.serve(name, settings).await {
                Ok(serving) => drop(self.serving().insert(name.clone(), serving)),
                Err(reason) => {
                    tracing::warn!(target: SCOPE, "could not subscribe to internal outbox topic: {reason}");
                }
            }
        }
    }

    /// Takes no more events, and waits for those in work.
    pub async fn end(&self) {
        let all = std::mem::take(&mut *self.serving());
        for serving in all.into_values() {
            serving.subscription.close().await;
        }
    }

    async fn serve(&self, store: &str, settings: Settings) -> Result<Serving, String> {
        let not_loaded = || format!("outbox pubsub {} not loaded", settings.pubsub);
        let broker = self.bus.broker(&settings.pubsub).ok_or_else(not_loaded)?;
        let relay = Relay::new(store, settings.clone(), self.stores.clone(), Arc::clone(&self.bus));
        let subscription = self.bus.listen(&broker, &self.internal_topic(&settings), Arc::new(relay)).await?;
        Ok(Serving { settings, broker, subscription })
    }

    fn is_current(&self, serving: &Serving, settings: &Settings) -> bool {
        let broker = self.bus.broker(&settings.pubsub);
        serving.settings == *settings && broker.is_some_and(|broker| Arc::ptr_eq(&broker, &serving.broker))
    }

    fn serving(&self) -> MutexGuard<'_, BTreeMap<String, Serving>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes the events of a transaction to the internal topic, and returns what the store is to do: without the
    /// projections, and with the markers.
    ///
    /// # Errors
    /// A sentence, when an event cannot be published; the transaction must not happen then.
    pub(crate) async fn publish(
        &self,
        settings: &Settings,
        operations: Vec<Operation>,
        trace: &SpanContext,
    ) -> Result<Vec<Operation>, String> {
        let (projections, mut operations) = split(operations);
        let topic = self.internal_topic(settings);
        let mut markers = Vec::new();
        for entry in operations.iter().filter_map(entry) {
            let id = format!("outbox-{}", Uuid::new_v4());
            let payload = projections.get(&entry.key).unwrap_or(entry);
            let event = self.bus.make(Event::of((&id, &settings.pubsub), entry, payload, trace))?;
            self.bus.publish(&settings.pubsub, &topic, event, None).await?;
            markers.push(marker(id));
        }
        operations.extend(markers);
        Ok(operations)
    }

    /// One topic for each app and public topic.
    fn internal_topic(&self, settings: &Settings) -> String {
        [&self.namespace, &self.app_id, &*settings.publish_topic, "outbox"].concat()
    }
}

/// The outbox of one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Where apps find the events.
    publish_pubsub: String,
    publish_topic: String,
    /// Where events wait for the transaction.
    pubsub: String,
    /// Forget an event whose transaction did not happen, instead of trying again.
    discard_when_missing: bool,
}

impl Settings {
    /// The settings in a component's metadata, if it has an outbox.
    pub(crate) fn of(properties: &Properties) -> Option<Self> {
        let given = |name| properties.get(name).filter(|text| !text.is_empty());
        let publish_pubsub = given("outboxPublishPubsub")?.to_owned();
        Some(Self {
            publish_topic: given("outboxPublishTopic")?.to_owned(),
            pubsub: given("outboxPubsub").map_or_else(|| publish_pubsub.clone(), str::to_owned),
            publish_pubsub,
            discard_when_missing: given("outboxDiscardWhenMissingState").is_some_and(is_truthy),
        })
    }
}

/// The projections by key, and the other operations.
fn split(operations: Vec<Operation>) -> (BTreeMap<String, SetRequest>, Vec<Operation>) {
    let (mut projections, mut others) = (BTreeMap::new(), Vec::new());
    for operation in operations {
        match operation {
            Operation::Set(entry) if entry.metadata.get(PROJECTION).is_some_and(|value| is_truthy(value)) => {
                projections.insert(entry.key.clone(), entry);
            }
            other => others.push(other),
        }
    }
    (projections, others)
}

fn entry(operation: &Operation) -> Option<&SetRequest> {
    match operation {
        Operation::Set(entry) => Some(entry),
        Operation::Delete(_) => None,
    }
}

/// What tells that the transaction happened.
fn marker(key: String) -> Operation {
    Operation::Set(SetRequest {
        key,
        value: Value::Json(Bytes::from_static(b"\"0\"")),
        etag: None,
        concurrency: Concurrency::Unspecified,
        consistency: Consistency::Unspecified,
        metadata: Metadata::new(),
    })
}
