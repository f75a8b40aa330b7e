//! Stores with an outbox.
use crate::world::{World, check, instance};
use async_trait::async_trait;
use block_state::{Bus, Event, Outbox, Service, execute_state_transaction};
use bytes::Bytes;
use component_api::pubsub::{Broker, Deliver, Message, Subscription, Verdict};
use component_api::state::{GetRequest, Store};
use component_api::{Instance, Live, Properties, Task};
use component_in_memory::{InMemoryBroker, InMemoryStore};
use foundation_drain::Drain;
use foundation_telemetry::{SpanContext, SpanKind, Tracer};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::Instant;
use tonic::Request;
use wire::runtime::v1;

/// Topic, content type and body of what was published.
type Published = (String, Option<String>, Value);

/// A bus that keeps everything, and delivers on demand.
struct Notes {
    published: Mutex<Vec<Published>>,
    broker: Mutex<Arc<Instance<dyn Broker>>>,
    listeners: Mutex<Vec<Arc<dyn Deliver>>>,
    /// How often listening fails first.
    failures: Mutex<usize>,
    listening: Notify,
    broken: bool,
}

#[async_trait]
impl Bus for Notes {
    fn make(&self, event: Event) -> Result<Bytes, String> {
        let Event { id, content_type, data, attributes, trace, .. } = event;
        let data = String::from_utf8_lossy(&data).into_owned();
        let mut all =
            json!({"id": id, "datacontenttype": content_type, "data": data, "large": 12345678901234567890_u64});
        if trace.is_valid() {
            all["trace"] = trace.traceparent().into();
        }
        attributes.into_iter().for_each(|(name, value)| all[name] = value.into());
        Ok(all.to_string().into())
    }

    async fn publish(
        &self,
        pubsub: &str,
        topic: &str,
        event: Bytes,
        content_type: Option<String>,
    ) -> Result<(), String> {
        if self.broken {
            return Err("broker on fire".to_owned());
        }
        let event = serde_json::from_slice(&event).unwrap();
        self.published.lock().unwrap().push((format!("{pubsub}/{topic}"), content_type, event));
        Ok(())
    }

    fn broker(&self, pubsub: &str) -> Option<Arc<Instance<dyn Broker>>> {
        assert_eq!(pubsub, "inner");
        Some(Arc::clone(&self.broker.lock().unwrap()))
    }

    async fn listen(
        &self,
        _: &Instance<dyn Broker>,
        topic: &str,
        deliver: Arc<dyn Deliver>,
    ) -> Result<Subscription, String> {
        assert_eq!(topic, "nsappordersoutbox");
        yield_now().await;
        let left = self.failures.lock().unwrap().checked_sub(1);
        if let Some(left) = left {
            *self.failures.lock().unwrap() = left;
            return Err("not yet".to_owned());
        }
        self.listeners.lock().unwrap().push(deliver);
        self.listening.notify_one();
        Ok(Subscription::new(Task::spawn(async |stopping| stopping.cancelled().await)))
    }
}

fn broker() -> Arc<Instance<dyn Broker>> {
    let (kind, version) = ("pubsub.test".to_owned(), "v1".to_owned());
    let component: Arc<dyn Broker> = Arc::new(InMemoryBroker::new());
    Arc::new(Instance { name: "inner".to_owned(), kind, version, properties: Properties::default(), component })
}

struct Shop {
    world: World,
    store: Arc<InMemoryStore>,
    live: Live<dyn Store>,
    bus: Arc<Notes>,
    outbox: Arc<Outbox>,
}

impl Shop {
    async fn new(discard: &str, broken: bool) -> Self {
        let store = Arc::new(InMemoryStore::new());
        let properties = Properties::from_iter([
            ("outboxPublishPubsub", "outer"),
            ("outboxPublishTopic", "orders"),
            ("outboxPubsub", "inner"),
            ("outboxDiscardWhenMissingState", discard),
        ]);
        let live = Live::default();
        live.insert(instance("store", properties, Arc::clone(&store) as Arc<dyn Store>));
        live.insert(instance("plain", Properties::default(), Arc::new(InMemoryStore::new())));
        let bus = Notes {
            published: Mutex::default(),
            broker: Mutex::new(broker()),
            listeners: Mutex::default(),
            failures: Mutex::default(),
            listening: Notify::new(),
            broken,
        };
        let bus = Arc::new(bus);
        let outbox = Outbox::new("app", "ns", live.clone(), Arc::clone(&bus) as Arc<dyn Bus>, &Drain::new());
        outbox.reconcile().await;
        let world = World::of(Service::new("app", "ns", live.clone()).with_outbox(Arc::clone(&outbox)));
        Self { world, store, live, bus, outbox }
    }

    async fn transact(&self, store: &str, operations: Value) -> u16 {
        let body = json!({"operations": operations}).to_string();
        self.world.http("POST", &format!("/v1.0/state/{store}/transaction"), body).await.status
    }

    fn published(&self) -> Vec<Published> {
        std::mem::take(&mut *self.bus.published.lock().unwrap())
    }

    async fn deliver(&self, event: &Value) -> Verdict {
        let listener = self.bus.listeners.lock().unwrap().last().cloned().unwrap();
        listener
            .deliver(Message { topic: "topic".to_owned(), data: event.to_string().into(), ..Message::default() })
            .await
    }

    async fn has(&self, key: &str) -> bool {
        self.store.get(GetRequest { key: key.to_owned(), ..GetRequest::default() }).await.unwrap().is_some()
    }
}

fn upsert(key: &str, value: &Value, metadata: &Value) -> Value {
    json!({"operation": "upsert", "request": {"key": key, "value": value, "metadata": metadata}})
}

#[tokio::test]
async fn what_was_written_is_published() {
    let shop = Shop::new("", false).await;
    let metadata = json!({"shop": "north", "id": "mine", "data": "mine"});
    let operations = json!([
        upsert("a", &json!("text"), &metadata),
        {"operation": "delete", "request": {"key": "b"}},
    ]);
    assert_eq!(shop.transact("store", operations).await, 204);
    let published = shop.published();
    let [(topic, None, event)] = &published[..] else { panic!("{published:?}") };
    assert_eq!(topic, "inner/nsappordersoutbox");
    let id = event["id"].as_str().unwrap();
    assert!(id.starts_with("outbox-") && shop.has(id).await, "the marker was written with the transaction");
    assert_eq!((&event["data"], &event["shop"]), (&json!("text"), &json!("north")));

    assert_eq!(shop.deliver(event).await, Verdict::Ack);
    let mut expected = event.clone();
    expected["topic"] = json!("orders");
    expected["pubsubname"] = json!("outer");
    assert_eq!(shop.published(), [("outer/orders".to_owned(), Some(String::new()), expected)]);
    assert!(!shop.has(id).await, "the marker is not needed any more");
}

#[tokio::test]
async fn a_projection_is_published_instead() {
    let shop = Shop::new("", false).await;
    let projection =
        |value| upsert("a", &value, &json!({"outbox.projection": "true", "contentType": "application/json"}));
    let operations = json!([
        projection(json!({"published": 0})),
        upsert("a", &json!({"saved": true}), &json!({})),
        projection(json!({"published": 1})),
    ]);
    assert_eq!(shop.transact("store", operations).await, 204);
    let published = shop.published();
    let [(_, _, event)] = &published[..] else { panic!("{published:?}") };
    let seen = (event["data"].as_str(), event["datacontenttype"].as_str());
    assert_eq!(seen, (Some(r#"{"published":1}"#), Some("application/json")));
    check(shop.world.http("GET", "/v1.0/state/store/a", ""), (200, json!({"saved": true}))).await;
}

#[tokio::test]
async fn over_grpc_the_bytes_are_published() {
    let shop = Shop::new("", false).await;
    let request = wire::common::v1::StateItem { key: "a".to_owned(), value: "\"2\"".into(), ..Default::default() };
    let operation = v1::TransactionalStateOperation { operation_type: "upsert".to_owned(), request: Some(request) };
    let (store_name, operations) = ("store".to_owned(), vec![operation]);
    let request = v1::ExecuteStateTransactionRequest { store_name, operations, ..Default::default() };
    let mut request = Request::new(request);
    let parent = SpanContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
    request.extensions_mut().insert(Tracer::default().start("call", SpanKind::Client, &parent));
    execute_state_transaction(&shop.world.service, request).await.unwrap();
    let (_, _, event) = shop.published().remove(0);
    assert_eq!((&event["data"], &event["trace"]), (&"\"2\"".into(), &parent.traceparent().into()));
}

#[tokio::test]
async fn only_transactions_of_that_store_publish() {
    let shop = Shop::new("", false).await;
    let operations = json!([upsert("a", &json!(1), &json!({}))]);
    assert_eq!(shop.transact("plain", operations).await, 204);
    check(shop.world.http("POST", "/v1.0/state/store", r#"[{"key": "a", "value": 1}]"#), (204, Value::Null)).await;
    assert!(shop.published().is_empty());
}

#[tokio::test]
async fn nothing_is_written_when_nothing_can_be_published() {
    let shop = Shop::new("", true).await;
    let body = json!({"operations": [upsert("a", &json!(1), &json!({}))]}).to_string();
    let expected = json!({
        "errorCode": "ERR_PUBLISH_OUTBOX",
        "message": "error while publishing outbox message: broker on fire",
        "details": [{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "DAPR_PUBSUB_OUTBOX",
            "domain": "dapr.io",
            "metadata": {"appID": "app", "error": "broker on fire"},
        }],
    });
    check(shop.world.http("POST", "/v1.0/state/store/transaction", body), (500, expected)).await;
    assert!(!shop.has("app||a").await);
}

#[tokio::test(start_paused = true)]
async fn an_event_without_its_transaction_waits_and_comes_again_behind_the_others() {
    for discard in ["", "true"] {
        let shop = Shop::new(discard, false).await;
        let (start, event) = (Instant::now(), json!({"id": "outbox-none"}));
        assert_eq!(shop.deliver(&event).await, Verdict::Ack);
        assert!(start.elapsed().as_secs() >= 10);
        let again = if discard.is_empty() { vec![("inner/topic".to_owned(), None, event)] } else { Vec::new() };
        assert_eq!(shop.published(), again);
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_again_is_waited_for_no_longer_than_a_moment() {
    let shop = Shop::new("", false).await;
    let time = (jiff::Timestamp::now() - jiff::SignedDuration::from_secs(60)).to_string();
    let start = Instant::now();
    assert_eq!(shop.deliver(&json!({"id": "outbox-none", "time": time})).await, Verdict::Ack);
    assert!(start.elapsed().as_secs() <= 2 && shop.published().len() == 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_put_off_stays_where_it_is() {
    let shop = Shop::new("", true).await;
    assert_eq!(shop.deliver(&json!({"id": "outbox-none"})).await, Verdict::Retry);
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_transaction_was_refused_holds_up_no_other() {
    let shop = Shop::new("", false).await;
    let upsert = json!([{"operation": "upsert", "request": {"key": "a", "value": 1, "etag": "wrong"}}]);
    assert_eq!(shop.transact("store", upsert).await, 500);
    let start = Instant::now();
    let event = shop.published().remove(0).2;
    assert_eq!(shop.deliver(&event).await, Verdict::Ack);
    assert!(start.elapsed().is_zero() && shop.published().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_old_event_without_its_transaction_is_given_up() {
    let shop = Shop::new("", false).await;
    assert_eq!(shop.deliver(&json!({"id": "outbox-none", "time": "2020-01-01T00:00:00Z"})).await, Verdict::Ack);
    assert!(shop.published().is_empty());
}

#[tokio::test]
async fn stores_and_brokers_may_be_replaced() {
    let shop = Shop::new("", false).await;
    let listeners = || shop.bus.listeners.lock().unwrap().len();
    shop.outbox.reconcile().await;
    assert_eq!(listeners(), 1, "nothing has changed");
    *shop.bus.broker.lock().unwrap() = broker();
    shop.outbox.reconcile().await;
    assert_eq!(listeners(), 2, "the old broker is out of use");
    let store = shop.live.remove("store").unwrap();
    shop.outbox.reconcile().await;
    shop.live.insert(instance("store", store.properties.clone(), Arc::clone(&store.component)));
    shop.outbox.reconcile().await;
    assert_eq!(listeners(), 3, "the store was gone");
}

#[tokio::test]
async fn two_at_once_listen_once() {
    let shop = Shop::new("", false).await;
    *shop.bus.broker.lock().unwrap() = broker();
    tokio::join!(shop.outbox.reconcile(), shop.outbox.reconcile());
    assert_eq!(shop.bus.listeners.lock().unwrap().len(), 2);
    shop.outbox.reconcile().await;
    assert_eq!(shop.bus.listeners.lock().unwrap().len(), 2, "it is still at work");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_fails_is_tried_again() {
    let shop = Shop::new("", false).await;
    shop.bus.listening.notified().await;
    *shop.bus.failures.lock().unwrap() = 2;
    *shop.bus.broker.lock().unwrap() = broker();
    shop.outbox.reconcile().await;
    assert_eq!(shop.bus.listeners.lock().unwrap().len(), 1);
    shop.bus.listening.notified().await;
    assert_eq!(shop.bus.listeners.lock().unwrap().len(), 2);
}
