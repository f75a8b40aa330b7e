//! Dissemination of the tables of one namespace, as a state machine without clock or network.
//!
//! Inputs are its methods; what is to be done comes back as [`Effect`]s. A round takes all streams through lock, update and
//! unlock with one version; what changes meanwhile waits for the next round (protocols.md 1.4).
mod hosts;
#[cfg(test)]
mod tests;

use hosts::Hosts;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::time::Duration;
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
    /// Send an order.
    Send(StreamId, PlacementOrder),
    /// End a stream with a status.
    Close(StreamId, Status),
    /// Call [`Namespace::timed_out`] with this version when [`Settings::timeout`] has passed.
    ExpectWithin(u64),
    /// Call [`Namespace::collected`] when [`Settings::coalesce`] has passed.
    Collect,
}

/// Where a round is, or how far a stream has come in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Lock,
    Update,
    Unlock,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    reached: Phase,
    /// Version of a table that was sent to this stream alone; its answers are not part of a round.
    pushed: Option<u64>,
}

/// The hosts of a namespace, and the round that makes them known.
#[derive(Debug)]
pub struct Namespace {
    settings: Settings,
    version: u64,
    phase: Phase,
    streams: BTreeMap<StreamId, Stream>,
    hosts: Hosts,
    /// Streams that wait for the end of the round.
    joining: BTreeMap<StreamId, Host>,
    /// Hosts whose stream is gone, still in the tables.
    leaving: BTreeSet<StreamId>,
    collecting: bool,
    effects: Vec<Effect>,
}

impl Namespace {
    /// A namespace without hosts.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            version: 0,
            phase: Phase::Idle,
            streams: BTreeMap::new(),
            hosts: Hosts::default(),
            joining: BTreeMap::new(),
            leaving: BTreeSet::new(),
            collecting: false,
            effects: Vec::new(),
        }
    }

    /// Whether there is no stream at all.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty() && self.joining.is_empty()
    }

    /// How many streams there are, and how many of them host actors.
    pub fn counts(&self) -> (usize, usize) {
        let hosting = self.streams.keys().filter(|stream| self.hosts.has(**stream)).count();
        (self.streams.len(), hosting)
    }

    /// The hosts in the tables, for the state endpoint.
    pub fn state(&self) -> StatePlacementTable {
        StatePlacementTable { hosts: self.hosts.sorted(), version: self.version }
    }

    /// A stream opened with this report.
    pub fn join(&mut self, stream: StreamId, host: Host) -> Vec<Effect> {
        self.joining.insert(stream, host);
        if self.phase == Phase::Idle && !self.collecting {
            self.take_in_changes();
        }
        take(&mut self.effects)
    }

    /// A stream sent a message: a report, or the acknowledgement of an order.
    pub fn message(&mut self, stream: StreamId, host: Host) -> Vec<Effect> {
        if !self.is_old(&host) && !self.is_answer_to_push(stream, &host) {
            match host.operation() {
                HostOperation::Report => self.report(stream, host),
                operation => self.acknowledge(stream, self.acknowledged(operation)),
            }
        }
        take(&mut self.effects)
    }

    /// A stream is gone.
    pub fn leave(&mut self, stream: StreamId) -> Vec<Effect> {
        self.joining.remove(&stream);
        if self.streams.remove(&stream).is_some() {
            if self.hosts.has(stream) {
                self.leaving.insert(stream);
            }
            match self.phase {
                Phase::Idle if !self.collecting => self.take_in_changes(),
                Phase::Idle => {}
                _ => self.advance(),
            }
        }
        take(&mut self.effects)
    }

    /// The time for the round of that version is over: streams that did not answer are closed, the others go on without
    /// them.
    pub fn timed_out(&mut self, version: u64) -> Vec<Effect> {
        if version == self.version && self.phase != Phase::Idle {
            let late = self.streams.iter().filter(|(_, state)| state.reached != self.phase);
            for stream in late.map(|(stream, _)| *stream).collect::<Vec<_>>() {
                self.streams.remove(&stream);
                self.hosts.remove(stream);
                self.effects.push(Effect::Close(stream, self.too_late()));
            }
            self.phase = Phase::Idle;
            self.apply_changes();
            self.start_round();
        }
        take(&mut self.effects)
    }

    /// The time to collect changes is over.
    pub fn collected(&mut self) -> Vec<Effect> {
        self.collecting = false;
        self.take_in_changes();
        take(&mut self.effects)
    }

    fn too_late(&self) -> Status {
        let timeout = foundation_metadata::duration::format(self.settings.timeout);
        Status::deadline_exceeded(format!("dissemination timeout after {timeout} for version {}", self.version))
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

    /// Old sidecars do not say what they acknowledge: it is the order that they got last.
    fn acknowledged(&self, operation: HostOperation) -> Phase {
        match operation {
            HostOperation::Lock => Phase::Lock,
            HostOperation::Update => Phase::Update,
            HostOperation::Unlock => Phase::Unlock,
            HostOperation::Unknown | HostOperation::Report => self.phase,
        }
    }

    fn report(&mut self, stream: StreamId, host: Host) {
        if let Some(waiting) = self.joining.get_mut(&stream) {
            *waiting = host;
        } else if self.hosts.set(stream, host) {
            self.start_round();
        } else {
            self.push_table(stream);
        }
    }

    fn acknowledge(&mut self, stream: StreamId, phase: Phase) {
        let current = self.phase;
        if let Some(state) = self.streams.get_mut(&stream)
            && phase == current
            && current != Phase::Idle
        {
            state.reached = phase;
            self.advance();
        }
    }

    /// Goes to the next phase when all streams have reached this one.
    fn advance(&mut self) {
        if self.streams.values().any(|stream| stream.reached != self.phase) {
            return;
        }
        match self.phase {
            Phase::Lock => self.enter(Phase::Update),
            Phase::Update => self.enter(Phase::Unlock),
            Phase::Unlock | Phase::Idle => self.end_round(),
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        let order = self.order(phase);
        let streams = self.streams.keys().copied();
        self.effects.extend(streams.map(|stream| Effect::Send(stream, order.clone())));
    }

    fn end_round(&mut self) {
        self.phase = Phase::Idle;
        if self.settings.coalesce.is_zero() {
            self.take_in_changes();
        } else if !self.collecting {
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
        let mut changed = !self.leaving.is_empty();
        for stream in take(&mut self.leaving) {
            self.hosts.remove(stream);
        }
        for (stream, host) in take(&mut self.joining) {
            self.streams.insert(stream, Stream { reached: Phase::Idle, pushed: None });
            changed |= self.hosts.set(stream, host);
        }
        changed
    }

    fn start_round(&mut self) {
        self.version += 1;
        for stream in self.streams.values_mut() {
            *stream = Stream { reached: Phase::Idle, pushed: None };
        }
        self.phase = Phase::Idle;
        if !self.streams.is_empty() {
            self.effects.push(Effect::ExpectWithin(self.version));
            self.enter(Phase::Lock);
        }
    }

    /// Gives the tables to a stream that hosts nothing: nobody else has to know of it.
    fn push_table(&mut self, stream: StreamId) {
        let hosting = self.hosts.has(stream);
        let Some(state) = self.streams.get_mut(&stream).filter(|_| !hosting) else { return };
        state.pushed = Some(self.version);
        for phase in [Phase::Lock, Phase::Update, Phase::Unlock] {
            self.effects.push(Effect::Send(stream, self.order(phase)));
        }
    }

    fn order(&self, phase: Phase) -> PlacementOrder {
        let operation = match phase {
            Phase::Update => "update",
            Phase::Unlock => "unlock",
            Phase::Lock | Phase::Idle => "lock",
        };
        let tables = match phase {
            Phase::Update => self.hosts.tables(self.settings.replication_factor, self.version),
            _ => PlacementTables { version: self.version.to_string(), ..PlacementTables::default() },
        };
        PlacementOrder { tables: Some(tables), operation: operation.to_owned(), version: self.version }
    }
}
