//! Many streams and one task, without connections.
use super::*;
use crate::orders::{SharedOrders, orders};
use foundation_telemetry::Registry;
use futures_util::StreamExt;
use std::time::Duration;
use wire::placement::v1::HostOperation;

const SETTINGS: Settings =
    Settings { replication_factor: 100, timeout: Duration::from_secs(8), coalesce: Duration::ZERO };

struct World {
    events: mpsc::Sender<Event>,
    registry: Registry,
    /// Serves as long as it is there.
    _lead: watch::Sender<Option<Lease>>,
}

fn host(stream: u64, types: &[&str]) -> Host {
    Host {
        name: format!("h{stream}"),
        id: format!("h{stream}"),
        namespace: "ns".to_owned(),
        entities: types.iter().map(|name| (*name).to_owned()).collect(),
        operation: HostOperation::Report.into(),
        ..Host::default()
    }
}

impl World {
    fn new() -> Self {
        Self::with(SETTINGS)
    }

    fn with(settings: Settings) -> Self {
        let (events, received) = mpsc::channel(16);
        let registry = Registry::new().unwrap();
        let (lead, follower) = watch::channel(Some(Lease { term: 0, until: None }));
        let dissemination = Dissemination::new(settings, Metrics::new(&registry).unwrap(), "p".to_owned(), follower);
        #[allow(clippy::disallowed_methods)] // Ends with the test.
        tokio::spawn(dissemination.run(received, CancellationToken::new()));
        Self { events, registry, _lead: lead }
    }

    async fn join(&self, stream: u64, types: &[&str]) -> SharedOrders {
        let (orders, taken) = orders();
        self.send(Event::Join(StreamId(stream), host(stream, types), orders)).await;
        taken
    }

    async fn report(&self, stream: u64, types: &[&str]) {
        self.send(Event::Message(StreamId(stream), host(stream, types))).await;
    }

    async fn acknowledge(&self, stream: u64, operation: HostOperation, version: u64) {
        let answer = Host { operation: operation.into(), version: Some(version), ..host(stream, &[]) };
        self.send(Event::Message(StreamId(stream), answer)).await;
    }

    async fn send(&self, event: Event) {
        assert!(self.events.send(event).await.is_ok());
    }

    /// Names of the hosts in the tables, and their version, when all events before are worked on.
    async fn state(&self) -> (Vec<String>, u64) {
        let (answer, state) = oneshot::channel();
        self.send(Event::State(answer)).await;
        let table = state.await.unwrap().unwrap().tables.remove("ns").unwrap_or_default();
        (table.hosts.into_iter().map(|host| host.name).collect(), table.version)
    }
}

async fn next(orders: &mut SharedOrders) -> (String, u64) {
    let order = orders.next().await.unwrap().unwrap();
    (order.message.operation.clone(), order.message.version)
}

/// Every sidecar reports that it hosts nothing before it ends; here half of three hundred do so while nobody takes orders.
#[tokio::test]
async fn streams_stay_open_however_many_report_at_once() {
    let world = World::new();
    let mut staying = world.join(0, &["counter"]).await;
    assert_eq!(next(&mut staying).await, ("lock".to_owned(), 1));
    let mut others = Vec::new();
    for stream in 1..300 {
        others.push(world.join(stream, &["timer"]).await);
    }
    for operation in [HostOperation::Lock, HostOperation::Update, HostOperation::Unlock] {
        world.acknowledge(0, operation, 1).await;
    }
    assert_eq!(world.state().await.1, 2);
    for stream in 1..150 {
        world.report(stream, &[]).await;
        world.state().await;
    }
    let (hosts, version) = world.state().await;
    assert_eq!((hosts.len(), version), (151, 151), "each report began a round");
    assert_eq!(next(&mut staying).await, ("lock".to_owned(), version));
    for orders in &mut others {
        assert_eq!(next(orders).await, ("lock".to_owned(), version));
    }
}

#[tokio::test]
async fn reports_that_wait_together_begin_one_round() {
    let world = World::new();
    let mut orders = world.join(0, &["counter"]).await;
    next(&mut orders).await;
    for number in 0..10 {
        // They fit into the queue, so that nobody else runs before the last one.
        world.report(0, &[&format!("type-{number}")]).await;
    }
    assert_eq!(next(&mut orders).await, ("lock".to_owned(), 2));
    assert_eq!(world.state().await.1, 2);
}

#[tokio::test]
async fn who_does_not_answer_is_told_why_it_is_closed() {
    let world = World::with(Settings { timeout: Duration::from_millis(20), ..SETTINGS });
    let mut orders = world.join(0, &["counter"]).await;
    next(&mut orders).await;
    let status = orders.next().await.unwrap().unwrap_err();
    assert_eq!(status.message(), "dissemination timeout after 20ms for version 1");
    assert!(orders.next().await.is_none());
}

#[tokio::test]
async fn an_empty_namespace_is_shown_as_zero() {
    let world = World::new();
    let _orders = world.join(0, &["counter"]).await;
    world.state().await;
    assert!(world.registry.render().contains("dapr_placement_runtimes_total{host_namespace=\"ns\"} 1"));
    world.send(Event::Leave(StreamId(0))).await;
    world.state().await;
    assert!(world.registry.render().contains("dapr_placement_runtimes_total{host_namespace=\"ns\"} 0"));
}
