//! The outbox of a store: what a transaction writes is also published, once the transaction is known to have happened
//! (protocols.md 7.5).
//!
//! Each entry of the transaction gets a marker, which is written with it, and an event on an internal topic. Whoever takes
//! the event from there looks for the marker: when it is in the store, the transaction happened, and the event goes on to
//! the topic that apps subscribe to.
mod event;
mod refusals;
mod relay;

pub use event::Event;

use crate::outbox::refusals::Refusals;
use crate::outbox::relay::Relay;
use async_trait::async_trait;
use bytes::Bytes;
use component_api::pubsub::{Broker, Deliver, Subscription};
use component_api::state::{Concurrency, Consistency, Operation, SetRequest, Store, Value};
use component_api::{Instance, Live, Metadata, Properties};
use foundation_drain::{Change, Drain, Places, until_done};
use foundation_metadata::is_truthy;
use foundation_telemetry::SpanContext;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

const SCOPE: &str = "dapr.outbox";
/// How the keys of markers begin.
const MARKER: &str = "outbox-";
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
    drain: Drain,
    state: Mutex<State>,
    refusals: Arc<Refusals>,
}

/// The outboxes whose events are passed on, by store.
#[derive(Default)]
struct State {
    at_work: Places<String, Aim, Subscription>,
    /// A task is at it to start what could not be started.
    retrying: bool,
    ended: bool,
}

/// What events are passed on with.
#[derive(Clone)]
struct Aim {
    settings: Settings,
    broker: Arc<Instance<dyn Broker>>,
}

impl PartialEq for Aim {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings && Arc::ptr_eq(&self.broker, &other.broker)
    }
}

impl Outbox {
    /// Over these stores; `namespace` is the one of the app. Background work ends with the drain.
    pub fn new(
        app_id: impl Into<String>,
        namespace: impl Into<String>,
        stores: Live<dyn Store>,
        bus: Arc<dyn Bus>,
        drain: &Drain,
    ) -> Arc<Self> {
        let (app_id, namespace, drain) = (app_id.into(), namespace.into(), drain.child());
        Arc::new(Self { app_id, namespace, stores, bus, drain, state: Mutex::default(), refusals: Arc::default() })
    }

    /// Passes on the events of all stores that have an outbox, as they and their brokers are now. Where a broker fails it is
    /// tried again in the background. Who gives up waiting for it leaves it to go on.
    pub async fn reconcile(self: &Arc<Self>) {
        let outbox = Arc::clone(self);
        let work = async move {
            if !outbox.try_reconcile().await {
                outbox.retry_in_background();
            }
        };
        self.drain.finish(work).await;
    }

    /// Takes no more events, and waits for those in work.
    pub async fn end(&self) {
        self.drain.stop();
        let change = {
            let mut state = self.state();
            state.ended = true;
            state.at_work.change(BTreeMap::new())
        };
        join_all(change.stale.into_iter().map(Subscription::close)).await;
    }

    /// Whether every outbox is at work.
    async fn try_reconcile(&self) -> bool {
        let Change { stale, missing, .. } = {
            let mut state = self.state();
            let wanted = if state.ended { BTreeMap::new() } else { self.wanted() };
            state.at_work.change(wanted)
        };
        stale.into_iter().for_each(|subscription| self.drain.spawn(subscription.close()));
        let started = join_all(missing.into_iter().map(|(store, aim)| self.bring_to_work(store, aim))).await;
        started.into_iter().all(|is_at_work| is_at_work)
    }

    fn wanted(&self) -> BTreeMap<String, Aim> {
        let stores = self.stores.all();
        let aim = |(name, store): (&String, &Arc<Instance<dyn Store>>)| {
            let settings = Settings::of(&store.properties)?;
            let Some(broker) = self.bus.broker(&settings.pubsub) else {
                tracing::warn!(target: SCOPE, "could not subscribe to internal outbox topic: outbox pubsub {} not loaded", settings.pubsub);
                return None;
            };
            Some((name.clone(), Aim { settings, broker }))
        };
        stores.iter().filter_map(aim).collect()
    }

    /// Whether it could be started.
    async fn bring_to_work(&self, store: String, aim: Aim) -> bool {
        let (stores, bus, refusals) = (self.stores.clone(), Arc::clone(&self.bus), Arc::clone(&self.refusals));
        let relay = Relay::new(&store, aim.settings.clone(), stores, bus, refusals);
        let topic = self.internal_topic(&aim.settings);
        let listen = self.bus.listen(&aim.broker, &topic, Arc::new(relay));
        match self.drain.token().run_until_cancelled_owned(listen).await {
            Some(Ok(subscription)) => {
                let unwanted = self.state().at_work.started(&store, &aim, subscription);
                unwanted.into_iter().for_each(|subscription| self.drain.spawn(subscription.close()));
                true
            }
            Some(Err(reason)) => {
                tracing::warn!(target: SCOPE, "could not subscribe to internal outbox topic: {reason}");
                self.state().at_work.failed(&store, &aim);
                false
            }
            None => true,
        }
    }

    fn retry_in_background(self: &Arc<Self>) {
        if std::mem::replace(&mut self.state().retrying, true) {
            return;
        }
        let outbox = Arc::clone(self);
        self.drain.spawn_until_stopped(async move {
            until_done(|| outbox.try_reconcile()).await;
            outbox.state().retrying = false;
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
            let id = format!("{MARKER}{}", Uuid::new_v4());
            let payload = projections.get(&entry.key).unwrap_or(entry);
            let event = self.bus.make(Event::of((&id, &settings.pubsub), entry, payload, trace))?;
            self.bus.publish(&settings.pubsub, &topic, event, None).await?;
            markers.push(marker(id));
        }
        operations.extend(markers);
        Ok(operations)
    }

    /// The store has refused a transaction for good: its events are forgotten when they come, and keep no others waiting.
    pub(crate) fn refused(&self, operations: &[Operation]) {
        let keys = operations.iter().filter_map(entry).map(|entry| &entry.key);
        self.refusals.note(keys.filter(|key| key.starts_with(MARKER)).cloned());
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
