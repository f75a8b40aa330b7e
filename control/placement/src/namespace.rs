//! Dissemination of the tables of one namespace, as a state machine without clock or network.
//!
//! Inputs are its methods; what follows from all that came at once is what [`Namespace::settle`] gives. A round takes all streams
//! through lock, update and unlock with one version. Who comes or goes meanwhile waits for the next round; hosts that report other
//! types begin the round again (protocols.md 1.4), once for all that report at once. Nobody goes ahead of the streams that host a
//! type whose hosts change, for they may have to give up actors; those that do not are waited for by nobody.
mod hosts;
mod stream;
#[cfg(test)]
mod tests;

use crate::order::{LOCK, Order};
use hosts::Hosts;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;
use stream::{Phase, Stream};
use tonic::Status;
use wire::placement::v1::{Host, HostOperation, PlacementOrder, PlacementTables, StatePlacementTable};

/// A stream of a sidecar; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What a namespace is run with.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Points of each host on the ring.
    pub replication_factor: i64,
    /// How long a round may take.
    pub timeout: Duration,
    /// How long changes are collected after a round; zero is not at all.
    pub coalesce: Duration,
}

/// Something to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send an order, which is the same for many.
    Send(StreamId, Arc<Order>),
    /// End a stream with a status.
    Close(StreamId, Status),
    /// Call [`Namespace::timed_out`] with this version when [`Settings::timeout`] has passed.
    ExpectWithin(u64),
    /// Call [`Namespace::collected`] when [`Settings::coalesce`] has passed.
    Collect,
}

/// The hosts of a namespace, and the round that makes them known.
#[derive(Debug)]
pub struct Namespace {
    settings: Settings,
    version: u64,
    phase: Phase,
    streams: BTreeMap<StreamId, Stream>,
    hosts: Hosts,
    /// Types whose hosts have changed since the last round ended.
    changing: BTreeSet<String>,
    /// How many streams have not reached the phase that the others wait for.
    awaited: usize,
    /// Orders of this version, by their phase.
    orders: BTreeMap<Phase, Arc<Order>>,
    /// Streams that wait for the end of the round.
    joining: BTreeMap<StreamId, Host>,
    /// Hosts whose stream is gone, still in the tables.
    leaving: BTreeSet<StreamId>,
    collecting: bool,
    /// Whether a report has changed the tables since the round began.
    is_outdated: bool,
    effects: Vec<Effect>,
}

impl Namespace {
    /// A namespace without hosts. Its versions are greater than `before`.
    pub fn new(settings: Settings, before: u64) -> Self {
        Self {
            settings,
            version: before,
            phase: Phase::Idle,
            streams: BTreeMap::new(),
            hosts: Hosts::default(),
            changing: BTreeSet::new(),
            awaited: 0,
            orders: BTreeMap::new(),
            joining: BTreeMap::new(),
            leaving: BTreeSet::new(),
            collecting: false,
            is_outdated: false,
            effects: Vec::new(),
        }
    }

    /// Whether there is no stream at all.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty() && self.joining.is_empty()
    }

    /// How many streams there are, and how many of them host actors.
    pub fn counts(&self) -> (usize, usize) {
        (self.streams.len(), self.hosts.len() - self.leaving.len())
    }

    /// The hosts in the tables, for the state endpoint.
    pub fn state(&self) -> StatePlacementTable {
        StatePlacementTable { hosts: self.hosts.sorted(), version: self.version }
    }

    /// A stream opened with this report.
    pub fn join(&mut self, stream: StreamId, host: Host) {
        self.joining.insert(stream, host);
    }

    /// A stream sent a message: a report, or the acknowledgement of an order.
    pub fn message(&mut self, stream: StreamId, host: Host) {
        if self.is_old(&host) || self.is_answer_to_push(stream, &host) {
            return;
        }
        match host.operation() {
            HostOperation::Report => self.report(stream, host),
            // They answer orders of a round that begins again.
            _ if self.is_outdated => {}
            operation => self.acknowledge(stream, acknowledged(operation)),
        }
    }

    /// A stream is gone.
    pub fn leave(&mut self, stream: StreamId) {
        if let Some(gone) = self.joining.remove(&stream).filter(|_| self.phase == Phase::Idle) {
            // The end of the window tells that somebody came and went, as Dapr's does.
            self.changing.extend(gone.entities);
        }
        if let Some(gone) = self.streams.remove(&stream) {
            self.awaited -= usize::from(self.awaits(&gone));
            if self.hosts.has(stream) {
                self.leaving.insert(stream);
            }
            self.advance();
        }
    }

    /// The time for the round of that version is over: streams that did not answer are closed, the others go on without
    /// them.
    pub fn timed_out(&mut self, version: u64) {
        if version != self.version {
            return;
        }
        let late = self.streams.iter().filter(|(_, state)| self.is_late(state)).map(|(stream, _)| *stream);
        for stream in late.collect::<Vec<_>>() {
            self.streams.remove(&stream);
            self.changing.extend(self.hosts.remove(stream));
            self.effects.push(Effect::Close(stream, self.too_late()));
        }
        if self.phase != Phase::Idle || !self.changing.is_empty() {
            self.apply_changes();
            self.start_round();
        }
    }

    /// The time to collect changes is over.
    pub fn collected(&mut self) {
        self.collecting = false;
    }

    /// Draws the conclusions from all that has happened since the last time: what is to be done.
    pub fn settle(&mut self) -> Vec<Effect> {
        if self.is_outdated && (self.phase != Phase::Idle || self.collecting) {
            self.start_round();
        }
        while self.phase == Phase::Idle && !self.collecting && self.has_changes() {
            self.take_in_changes();
        }
        take(&mut self.effects)
    }

    fn has_changes(&self) -> bool {
        !(self.joining.is_empty() && self.leaving.is_empty() && self.changing.is_empty())
    }

    fn too_late(&self) -> Status {
        let timeout = foundation_metadata::duration::format(self.settings.timeout);
        Status::deadline_exceeded(format!("dissemination timeout after {timeout} for version {}", self.version))
    }

    /// Nobody is late who only waits for others.
    fn is_late(&self, state: &Stream) -> bool {
        match self.phase {
            Phase::Idle => state.owes(),
            _ if state.concerned => self.awaits(state),
            _ => state.owes() && state.reached == Phase::Idle,
        }
    }

    fn awaits(&self, state: &Stream) -> bool {
        state.concerned && state.reached < self.phase
    }

    fn is_old(&self, host: &Host) -> bool {
        host.version.is_some_and(|version| version < self.version)
    }

    fn is_answer_to_push(&mut self, stream: StreamId, host: &Host) -> bool {
        let Some(state) = self.streams.get_mut(&stream) else { return false };
        let answers = state.pushed.is_some() && state.pushed == host.version;
        if !answers || host.operation() == HostOperation::Report {
            return false;
        }
        if host.operation() == HostOperation::Unlock {
            state.pushed = None;
        }
        true
    }

    fn report(&mut self, stream: StreamId, host: Host) {
        if let Some(waiting) = self.joining.get_mut(&stream) {
            *waiting = host;
        } else if self.set(stream, host) {
            self.is_outdated = true;
        } else if !self.is_outdated {
            self.push_table(stream);
        }
    }

    /// Keeps what a host reports; whether that changes the tables.
    fn set(&mut self, stream: StreamId, host: Host) -> bool {
        if let Some(state) = self.streams.get_mut(&stream) {
            state.types.extend(host.entities.iter().cloned());
        }
        let changed = self.hosts.set(stream, host);
        let is_change = !changed.is_empty();
        self.changing.extend(changed);
        is_change
    }

    fn acknowledge(&mut self, stream: StreamId, phase: Option<Phase>) {
        let Some(state) = self.streams.get_mut(&stream).filter(|state| state.owes()) else { return };
        let was_awaited = state.concerned;
        if state.answer(phase) {
            self.awaited -= usize::from(was_awaited);
            self.send_due(&[stream]);
            self.advance();
        }
    }

    /// Goes to the next phase when all streams that are concerned have reached this one.
    fn advance(&mut self) {
        while self.phase != Phase::Idle && self.awaited == 0 && !self.is_outdated {
            match self.phase {
                Phase::Lock => self.enter(Phase::Update),
                Phase::Update => self.enter(Phase::Unlock),
                Phase::Unlock | Phase::Idle => return self.end_round(),
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.awaited = self.streams.values().filter(|state| self.awaits(state)).count();
        self.send_due(&self.streams.keys().copied().collect::<Vec<_>>());
    }

    /// Sends streams the order that they are ready for. Those that nobody waits for may get theirs after the round.
    fn send_due(&mut self, streams: &[StreamId]) {
        let open = if self.phase == Phase::Idle { Phase::Unlock } else { self.phase };
        for stream in streams {
            if let Some(phase) = self.streams.get_mut(stream).and_then(|state| state.due(open)) {
                let order = self.order(phase);
                self.effects.push(Effect::Send(*stream, order));
            }
        }
    }

    fn end_round(&mut self) {
        self.phase = Phase::Idle;
        self.changing.clear();
        for (stream, state) in &mut self.streams {
            state.finish(self.hosts.types(*stream));
        }
        if !self.settings.coalesce.is_zero() && !self.collecting {
            self.collecting = true;
            self.effects.push(Effect::Collect);
        }
    }

    /// Takes in all that waited, with one round if the tables change, else with a table for the new streams alone.
    fn take_in_changes(&mut self) {
        let new: Vec<StreamId> = self.joining.keys().copied().collect();
        if self.apply_changes() {
            self.start_round();
        } else {
            new.into_iter().for_each(|stream| self.push_table(stream));
        }
    }

    fn apply_changes(&mut self) -> bool {
        for stream in take(&mut self.leaving) {
            self.changing.extend(self.hosts.remove(stream));
        }
        for (stream, host) in take(&mut self.joining) {
            self.streams.insert(stream, Stream::new());
            self.set(stream, host);
        }
        !self.changing.is_empty()
    }

    fn start_round(&mut self) {
        self.version += 1;
        self.orders.clear();
        self.streams.values_mut().for_each(|state| state.restart(&self.changing));
        (self.phase, self.is_outdated) = (Phase::Idle, false);
        if self.streams.is_empty() {
            // There is nobody to tell.
            return self.changing.clear();
        }
        self.effects.push(Effect::ExpectWithin(self.version));
        self.enter(Phase::Lock);
        self.advance();
    }

    /// Gives the tables to a stream that hosts nothing: nobody else has to know of it.
    fn push_table(&mut self, stream: StreamId) {
        let hosting = self.hosts.has(stream);
        let Some(state) = self.streams.get_mut(&stream).filter(|state| !hosting && !state.concerned) else { return };
        state.push(self.version);
        for phase in [Phase::Lock, Phase::Update, Phase::Unlock] {
            let order = self.order(phase);
            self.effects.push(Effect::Send(stream, order));
        }
    }

    fn order(&mut self, phase: Phase) -> Arc<Order> {
        let (hosts, factor, version) = (&self.hosts, self.settings.replication_factor, self.version);
        Arc::clone(self.orders.entry(phase).or_insert_with(|| Arc::new(order(phase, hosts, factor, version))))
    }
}

fn order(phase: Phase, hosts: &Hosts, factor: i64, version: u64) -> Order {
    let operation = match phase {
        Phase::Update => "update",
        Phase::Unlock => "unlock",
        Phase::Lock | Phase::Idle => LOCK,
    };
    let tables = match phase {
        Phase::Update => hosts.tables(factor, version),
        _ => PlacementTables { version: version.to_string(), ..PlacementTables::default() },
    };
    Order::new(PlacementOrder { tables: Some(tables), operation: operation.to_owned(), version })
}

/// What an operation answers; old sidecars do not say.
fn acknowledged(operation: HostOperation) -> Option<Phase> {
    match operation {
        HostOperation::Lock => Some(Phase::Lock),
        HostOperation::Update => Some(Phase::Update),
        HostOperation::Unlock => Some(Phase::Unlock),
        HostOperation::Unknown | HostOperation::Report => None,
    }
}
