//! The one task that owns all namespaces: takes what streams report, and carries out what follows from it.
use crate::metrics::Metrics;
use crate::namespace::{Effect, Namespace, Settings, StreamId};
use std::collections::{BTreeMap, HashMap};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use wire::placement::v1::{Host, PlacementOrder, StatePlacementTables};

/// Orders for one stream that it has not taken yet; a stream that lets more wait is closed.
pub(crate) const WAITING_ORDERS: usize = 64;

/// The sending half of a stream.
pub(crate) type Orders = mpsc::Sender<Result<PlacementOrder, Status>>;

/// What happens to namespaces.
pub(crate) enum Event {
    Join(StreamId, Host, Orders),
    Message(StreamId, Host),
    Leave(StreamId),
    /// Somebody wants to see the tables.
    State(oneshot::Sender<StatePlacementTables>),
}

#[derive(Clone, Copy)]
enum Timer {
    Timeout(u64),
    Collected,
}

/// All namespaces with their streams.
pub(crate) struct Dissemination {
    settings: Settings,
    metrics: Metrics,
    namespaces: BTreeMap<String, Namespace>,
    streams: HashMap<StreamId, (String, Orders)>,
    timers: BTreeMap<(Instant, u64), (String, Timer)>,
    timers_so_far: u64,
}

impl Dissemination {
    pub(crate) fn new(settings: Settings, metrics: Metrics) -> Self {
        Self {
            settings,
            metrics,
            namespaces: BTreeMap::new(),
            streams: HashMap::new(),
            timers: BTreeMap::new(),
            timers_so_far: 0,
        }
    }

    /// Works until it is told to stop; then all streams end.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<Event>, stopping: CancellationToken) {
        self.metrics.leads(true);
        loop {
            tokio::select! {
                () = stopping.cancelled() => break,
                event = events.recv() => match event {
                    Some(event) => self.handle(event),
                    None => break,
                },
                () = until(self.timers.keys().next().map(|(due, _)| *due)) => self.fire(),
            }
        }
        for (_, orders) in self.streams.into_values() {
            orders.try_send(Err(Status::unavailable("placement server is shutting down"))).ok();
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Join(stream, host, orders) => self.join(stream, host, orders),
            Event::Message(stream, host) => self.with(stream, |namespace| namespace.message(stream, host)),
            Event::Leave(stream) => self.leave(stream),
            Event::State(answer) => drop(answer.send(self.state())),
        }
    }

    fn join(&mut self, stream: StreamId, host: Host, orders: Orders) {
        let name = host.namespace.clone();
        self.streams.insert(stream, (name.clone(), orders));
        let namespace = self.namespaces.entry(name.clone()).or_insert_with(|| Namespace::new(self.settings));
        let effects = namespace.join(stream, host);
        self.carry_out(&name, effects);
    }

    fn leave(&mut self, stream: StreamId) {
        self.with(stream, |namespace| namespace.leave(stream));
        self.streams.remove(&stream);
    }

    fn with(&mut self, stream: StreamId, input: impl FnOnce(&mut Namespace) -> Vec<Effect>) {
        let Some((name, _)) = self.streams.get(&stream) else { return };
        let name = name.clone();
        if let Some(namespace) = self.namespaces.get_mut(&name) {
            let effects = input(namespace);
            self.carry_out(&name, effects);
        }
    }

    /// Effects may cause others: a stream that takes no orders is as good as gone.
    fn carry_out(&mut self, name: &str, effects: Vec<Effect>) {
        let mut gone = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send(stream, order) => gone.extend((!self.send(stream, Ok(order))).then_some(stream)),
                Effect::Close(stream, status) => {
                    self.send(stream, Err(status));
                    self.streams.remove(&stream);
                }
                Effect::ExpectWithin(version) => self.arm(name, self.settings.timeout, Timer::Timeout(version)),
                Effect::Collect => self.arm(name, self.settings.coalesce, Timer::Collected),
            }
        }
        gone.into_iter().for_each(|stream| self.leave(stream));
        self.tidy(name);
    }

    fn send(&self, stream: StreamId, order: Result<PlacementOrder, Status>) -> bool {
        self.streams.get(&stream).is_none_or(|(_, orders)| orders.try_send(order).is_ok())
    }

    fn tidy(&mut self, name: &str) {
        let Some(namespace) = self.namespaces.get(name) else { return };
        self.metrics.count(name, namespace.counts());
        if namespace.is_empty() {
            self.namespaces.remove(name);
            self.timers.retain(|_, (of, _)| of != name);
        }
    }

    fn arm(&mut self, name: &str, after: std::time::Duration, timer: Timer) {
        self.timers_so_far += 1;
        self.timers.insert((Instant::now() + after, self.timers_so_far), (name.to_owned(), timer));
    }

    fn fire(&mut self) {
        let Some((_, (name, timer))) = self.timers.pop_first() else { return };
        let Some(namespace) = self.namespaces.get_mut(&name) else { return };
        let effects = match timer {
            Timer::Timeout(version) => namespace.timed_out(version),
            Timer::Collected => namespace.collected(),
        };
        self.carry_out(&name, effects);
    }

    fn state(&self) -> StatePlacementTables {
        let tables = self.namespaces.iter().map(|(name, namespace)| (name.clone(), namespace.state()));
        StatePlacementTables { tables: tables.collect() }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
