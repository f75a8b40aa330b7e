//! The one task that owns all namespaces: takes what streams report, all that waits at once, and carries out what follows from it.
use crate::election::Lease;
use crate::metrics::Metrics;
use crate::namespace::{Effect, Namespace, Settings, StreamId};
use crate::orders::Orders;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use wire::placement::v1::{Host, StatePlacementTables};

const SCOPE: &str = "dapr.placement.server";
/// So many events are taken at once; a round that they cause begins once for all of them.
const AT_ONCE: usize = 256;

/// What happens to namespaces.
pub(crate) enum Event {
    Join(StreamId, Host, Orders),
    Message(StreamId, Host),
    Leave(StreamId),
    /// Somebody wants to see the tables; there are none where another replica leads.
    State(oneshot::Sender<Option<StatePlacementTables>>),
}

/// Versions of a term begin with its number, so that they grow from one that leads to the next.
const TERM: u32 = 32;

#[derive(Clone, Copy)]
enum Timer {
    Timeout(u64),
    Collected,
}

/// All namespaces with their streams.
pub(crate) struct Dissemination {
    settings: Settings,
    metrics: Metrics,
    id: String,
    lead: watch::Receiver<Option<Lease>>,
    /// Where others lead, nothing is served.
    lease: Option<Lease>,
    namespaces: BTreeMap<String, Namespace>,
    streams: BTreeMap<StreamId, (String, Orders)>,
    /// Namespaces that something has happened in.
    touched: BTreeSet<String>,
    timers: BTreeMap<(Instant, u64), (String, Timer)>,
    timers_so_far: u64,
}

impl Dissemination {
    /// `id` is the name of this replica, `lead` its right to serve.
    pub(crate) fn new(settings: Settings, metrics: Metrics, id: String, lead: watch::Receiver<Option<Lease>>) -> Self {
        Self {
            settings,
            metrics,
            id,
            lead,
            lease: None,
            namespaces: BTreeMap::new(),
            streams: BTreeMap::new(),
            touched: BTreeSet::new(),
            timers: BTreeMap::new(),
            timers_so_far: 0,
        }
    }

    /// Works until it is told to stop; then all streams end.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<Event>, stopping: CancellationToken) {
        self.follow_lead();
        let mut waiting = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => break,
                Ok(()) = self.lead.changed() => self.follow_lead(),
                () = until(self.lease.and_then(|lease| lease.until)) => self.abdicate(),
                // However much is reported, a round ends in time.
                () = until(self.timers.keys().next().map(|(due, _)| *due)) => self.fire(),
                count = events.recv_many(&mut waiting, AT_ONCE) => {
                    if count == 0 {
                        break;
                    }
                    waiting.drain(..).for_each(|event| self.handle(event));
                    self.settle();
                }
            }
        }
        self.close_all(&Status::unavailable("placement server is shutting down"));
    }

    /// Begins to serve, goes on, or ends, as the election says. Streams end with the term that they were opened in.
    fn follow_lead(&mut self) {
        let lease = *self.lead.borrow_and_update();
        if lease.map(|lease| lease.term) != self.lease.map(|lease| lease.term) {
            self.abdicate();
        }
        self.lease = lease;
        self.metrics.leads(lease.is_some());
    }

    fn abdicate(&mut self) {
        self.lease = None;
        self.metrics.leads(false);
        self.close_all(&Status::unavailable("this replica of the placement service leads no more"));
    }

    fn close_all(&mut self, status: &Status) {
        for (_, orders) in std::mem::take(&mut self.streams).into_values() {
            orders.end(status.clone());
        }
        for name in std::mem::take(&mut self.namespaces).into_keys() {
            self.metrics.ended(name);
        }
        self.touched.clear();
        self.timers.clear();
    }

    /// Whether this replica still leads, however late this task is.
    fn leads(&mut self) -> bool {
        let is_over = |lease: Lease| lease.until.is_some_and(|until| until <= Instant::now());
        if self.lease.is_some_and(is_over) {
            self.abdicate();
        }
        self.lease.is_some()
    }

    fn handle(&mut self, event: Event) {
        let leads = self.leads();
        match event {
            Event::Join(_, _, orders) if !leads => orders.end(follows(&self.id)),
            Event::Join(stream, host, orders) => self.join(stream, host, orders),
            Event::Message(stream, host) => self.with(stream, |namespace| namespace.message(stream, host)),
            Event::Leave(stream) => self.leave(stream),
            Event::State(answer) => {
                self.settle();
                drop(answer.send(self.lease.map(|_| self.state())));
            }
        }
    }

    fn join(&mut self, stream: StreamId, host: Host, orders: Orders) {
        let name = host.namespace.clone();
        let before = self.lease.map_or(0, |lease| lease.term << TERM);
        self.streams.insert(stream, (name.clone(), orders));
        let namespace = self.namespaces.entry(name.clone()).or_insert_with(|| Namespace::new(self.settings, before));
        namespace.join(stream, host);
        self.touched.insert(name);
    }

    fn leave(&mut self, stream: StreamId) {
        self.with(stream, |namespace| namespace.leave(stream));
        self.streams.remove(&stream);
    }

    fn with(&mut self, stream: StreamId, input: impl FnOnce(&mut Namespace)) {
        let Some((name, _)) = self.streams.get(&stream) else { return };
        let Some(namespace) = self.namespaces.get_mut(name) else { return };
        input(namespace);
        if !self.touched.contains(name) {
            self.touched.insert(name.clone());
        }
    }

    /// Carries out what follows from all that has happened. That may cause more: a stream that takes no orders is as good as gone.
    fn settle(&mut self) {
        if !self.leads() {
            return;
        }
        while let Some(name) = self.touched.pop_first() {
            let effects = self.namespaces.get_mut(&name).map(Namespace::settle).unwrap_or_default();
            effects.into_iter().for_each(|effect| self.carry_out(&name, effect));
            self.tidy(&name);
        }
    }

    fn carry_out(&mut self, name: &str, effect: Effect) {
        match effect {
            Effect::Send(stream, order) => {
                if self.streams.get(&stream).is_some_and(|(_, orders)| !orders.give(order)) {
                    self.leave(stream);
                }
            }
            Effect::Close(stream, status) => self.close(stream, status),
            Effect::ExpectWithin(version) => self.arm(name, self.settings.timeout, Timer::Timeout(version)),
            Effect::Collect => self.arm(name, self.settings.coalesce, Timer::Collected),
        }
    }

    fn close(&mut self, stream: StreamId, status: Status) {
        let Some((name, orders)) = self.streams.remove(&stream) else { return };
        let StreamId(number) = stream;
        tracing::warn!(target: SCOPE, "closing stream {number} of a sidecar in namespace={name}: {}", status.message());
        orders.end(status);
    }

    fn tidy(&mut self, name: &str) {
        let Some(namespace) = self.namespaces.get(name) else { return };
        self.metrics.count(name, namespace.counts());
        if namespace.is_empty() {
            self.namespaces.remove(name);
            self.metrics.ended(name.to_owned());
            self.timers.retain(|_, (of, _)| of != name);
        }
    }

    fn arm(&mut self, name: &str, after: std::time::Duration, timer: Timer) {
        self.timers_so_far += 1;
        self.timers.insert((Instant::now() + after, self.timers_so_far), (name.to_owned(), timer));
    }

    fn fire(&mut self) {
        if !self.leads() {
            return;
        }
        let Some((_, (name, timer))) = self.timers.pop_first() else { return };
        let Some(namespace) = self.namespaces.get_mut(&name) else { return };
        match timer {
            Timer::Timeout(version) => namespace.timed_out(version),
            Timer::Collected => namespace.collected(),
        }
        self.touched.insert(name);
        self.settle();
    }

    fn state(&self) -> StatePlacementTables {
        let tables = self.namespaces.iter().map(|(name, namespace)| (name.clone(), namespace.state()));
        StatePlacementTables { tables: tables.collect() }
    }
}

/// What a sidecar is told that must look for another replica; Go's know it by these words.
pub(crate) fn follows(id: &str) -> Status {
    Status::failed_precondition(format!("node id={id} is not a leader. Only the leader can serve requests"))
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
