//! The sidecars that are connected, and the triggers that are on their way to them (protocols.md 3.5).
mod gates;
mod recipient;
mod reply;
mod streams;
#[cfg(test)]
mod tests;
mod triggers;

use crate::agenda::Room;
use crate::metrics::{Metrics, Target};
use crate::names;
pub(crate) use gates::MOST_BYTES as MOST_HELD_BYTES;
use gates::{Gates, Key, Limits};
pub(crate) use recipient::Recipient;
use recipient::accepts;
pub(crate) use reply::{Outcomes, Reply, Ticket};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use streams::{Stream, Streams};
use tokio::sync::Notify;
use tonic::Status;
pub(crate) use triggers::{Outbox, Parcel, Recall, Triggers, Weight};
use wire::scheduler::v1::job_target_metadata::Type;
use wire::scheduler::v1::{JobMetadata, JobTargetType, WatchJobsRequestInitial, WatchJobsResponse};

/// What has become of a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failed,
    /// Nobody is there to take it, or they have gone before they said anything.
    Undeliverable,
    /// Those who take it have too much to do.
    Busy,
    /// Too much waits already for the last limit that it has to pass.
    Held,
    /// It was not sent, as there is another job of the name, or none.
    Recalled,
}

/// A trigger that waits for its outcome.
pub(crate) struct Trigger {
    pub(crate) message: WatchJobsResponse,
    pub(crate) recipient: Arc<Recipient>,
    pub(crate) reply: Reply,
    pub(crate) recall: Recall,
    /// Its part of the bytes that may be on the way to its recipient.
    pub(crate) weight: Option<Weight>,
}

pub(crate) type StreamId = u64;

/// Hands triggers to sidecars. Clones share the same ones.
#[derive(Clone)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Prefixes of jobs that can be delivered since somebody has asked.
    connected: Mutex<HashSet<String>>,
    changed: Notify,
    metrics: Metrics,
}

#[derive(Default)]
struct State {
    streams: Streams,
    gates: Gates,
}

impl Pool {
    pub(crate) fn new(metrics: Metrics) -> Self {
        let (connected, changed) = (Mutex::default(), Notify::new());
        Self { shared: Arc::new(Shared { state: Mutex::default(), connected, changed, metrics }) }
    }

    /// A sidecar has connected: from now on it gets triggers through its outbox.
    pub(crate) fn connect(&self, initial: &WatchJobsRequestInitial, outbox: Outbox) -> StreamId {
        let (mut stream, namespace) = (Stream::new(outbox), &initial.namespace);
        let mut prefixes = Vec::new();
        if accepts(initial, JobTargetType::Job) {
            stream.targets.push(Recipient::App(namespace.clone(), initial.app_id.clone()));
            prefixes.push(names::of_app(namespace, &initial.app_id));
        }
        if accepts(initial, JobTargetType::ActorReminder) {
            for actor_type in &initial.actor_types {
                stream.targets.push(Recipient::Type(namespace.clone(), actor_type.clone()));
                prefixes.push(names::of_actor_type(namespace, actor_type));
            }
        }
        let mut state = self.state();
        let id = state.streams.add(stream);
        let orphaned = state.gates.join(id, Limits::of(namespace, &initial.concurrency_limits));
        drop(state);
        finish(orphaned, Outcome::Undeliverable);
        self.shared.metrics.connected(1);
        self.shared.connected.lock().unwrap_or_else(PoisonError::into_inner).extend(prefixes);
        self.shared.changed.notify_one();
        id
    }

    /// A sidecar is gone. What it has not answered has not been delivered.
    pub(crate) fn disconnect(&self, stream: StreamId) {
        let mut state = self.state();
        let Some(gone) = state.streams.remove(stream) else { return };
        let orphaned = state.gates.leave(stream);
        let mut lost = Vec::with_capacity(gone.inflight.len());
        for flight in gone.inflight.into_values() {
            self.release(&mut state, &flight.gates);
            lost.push(flight.reply);
        }
        drop(state);
        self.shared.metrics.connected(-1);
        for reply in lost {
            reply.send(Outcome::Undeliverable);
        }
        finish(orphaned, Outcome::Undeliverable);
    }

    /// It is known what has become of a trigger that was given to a stream.
    ///
    /// # Errors
    /// A trigger that the stream has not got.
    pub(crate) fn acknowledge(&self, stream: StreamId, id: u64, outcome: Outcome) -> Result<(), Status> {
        let mut state = self.state();
        let flight = state.streams.take(stream, id);
        let flight = flight.ok_or_else(|| Status::unknown("received unknown trigger response from stream"))?;
        self.release(&mut state, &flight.gates);
        drop(state);
        flight.reply.send(outcome);
        Ok(())
    }

    /// Hands a trigger to one of those who take it.
    pub(crate) fn deliver(&self, trigger: Trigger) {
        let mut state = self.state();
        let refused = self.admit(&mut state, trigger);
        drop(state);
        if let Some((trigger, outcome)) = refused {
            trigger.reply.send(outcome);
        }
    }

    /// Whether somebody takes the triggers of a recipient.
    pub(crate) fn has(&self, recipient: &Recipient) -> bool {
        self.state().streams.has(recipient)
    }

    /// How much more there is room for on the way to a recipient; none when nobody takes any.
    pub(crate) fn room(&self, recipient: &Recipient) -> Option<Room> {
        self.state().streams.room(recipient)
    }

    /// How much more may wait for the limit of a recipient that has a name, or for that of all.
    pub(crate) fn waiting_room(&self, recipient: &Recipient, name: Option<&str>) -> Room {
        self.state().gates.waiting_room(recipient, name)
    }

    /// How many schedulers there are, and which of them this one is: it hands out its share of what may run at once.
    pub(crate) fn set_share(&self, count: usize, index: usize) {
        let mut state = self.state();
        let keys = state.gates.set_share(count, index);
        self.admit_waiting(&mut state, &keys);
    }

    /// Waits for sidecars to connect; returns what the names of their jobs start with.
    pub(crate) async fn connected(&self) -> Vec<String> {
        loop {
            let changed = self.shared.changed.notified();
            let prefixes = std::mem::take(&mut *self.shared.connected.lock().unwrap_or_else(PoisonError::into_inner));
            if !prefixes.is_empty() {
                return prefixes.into_iter().collect();
            }
            changed.await;
        }
    }

    fn admit(&self, state: &mut State, trigger: Trigger) -> Option<(Trigger, Outcome)> {
        if trigger.recall.is_recalled() {
            return Some((trigger, Outcome::Recalled));
        }
        if !state.streams.has(&trigger.recipient) {
            return Some((trigger, Outcome::Undeliverable));
        }
        let gates = state.gates.of(trigger.message.metadata.as_ref());
        match state.gates.enter(&gates) {
            Ok(()) => self.send(state, trigger, &gates),
            Err(full) => {
                self.shared.metrics.throttled(&full.shown());
                let refused = state.gates.wait(&gates, trigger);
                self.show(state, &gates);
                refused.map(|trigger| (trigger, Outcome::Held))
            }
        }
    }

    /// Sends a trigger that holds its gates; gives both back when all recipients are busy. What waits at a gate takes no room from others on
    /// the way to the same recipient.
    fn send(&self, state: &mut State, mut trigger: Trigger, gates: &[Key]) -> Option<(Trigger, Outcome)> {
        let refused = match state.streams.weigh(&mut trigger) {
            Ok(()) => state.streams.send(trigger, gates).map(|trigger| (trigger, Outcome::Busy)),
            Err(outcome) => Some((trigger, outcome)),
        };
        if refused.is_some() {
            state.gates.exit(gates);
        }
        self.show(state, gates);
        refused
    }

    fn release(&self, state: &mut State, gates: &[Key]) {
        state.gates.exit(gates);
        self.admit_waiting(state, gates);
    }

    /// Lets those in who wait for the types of gates, as far as there is room.
    fn admit_waiting(&self, state: &mut State, gates: &[Key]) {
        for key in gates {
            while let Some((at, trigger)) = state.gates.first(key) {
                if let Some((trigger, outcome)) = self.admit(state, trigger) {
                    trigger.reply.send(outcome);
                }
                self.show(state, &[at]);
            }
        }
        self.show(state, gates);
    }

    fn show(&self, state: &State, gates: &[Key]) {
        for key in gates {
            let (inside, waiting) = state.gates.counts(key);
            self.shared.metrics.gate(&key.shown(), inside, waiting);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn finish(triggers: Vec<Trigger>, outcome: Outcome) {
    for trigger in triggers {
        trigger.reply.send(outcome);
    }
}

/// The kind of a job, for metrics.
pub(crate) fn target(metadata: Option<&JobMetadata>) -> Target {
    match metadata.and_then(|metadata| metadata.target.as_ref()?.r#type.as_ref()) {
        Some(Type::Job(_)) => Target::Job,
        Some(Type::Actor(_)) => Target::Actor,
        None => Target::Unknown,
    }
}

type ByRecipient = HashMap<Recipient, streams::Turns>;
