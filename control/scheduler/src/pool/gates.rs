//! How many triggers of an actor type may run at once, and how many of those with a name.
//!
//! A limit is one of all schedulers together: each keeps to its share.
use super::{Recipient, StreamId, Trigger};
use crate::agenda::Room;
use prost::Message;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use wire::scheduler::v1::concurrency_limit::Target as LimitTarget;
use wire::scheduler::v1::job_target_metadata::Type;
use wire::scheduler::v1::{ConcurrencyLimit, JobMetadata};

/// What may wait at one gate; a trigger of more bytes waits alone.
const MOST_WAITING: usize = 10_000;
pub(crate) const MOST_BYTES: usize = 4 << 20;

/// Which gate. That of a type comes before those of its names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    namespace: String,
    actor_type: String,
    /// None: all triggers of the type.
    name: Option<String>,
}

/// What one stream asks for.
pub(super) struct Limits(Vec<(Key, usize)>);

struct Gate {
    limit: usize,
    inside: usize,
    waiting: VecDeque<Waiting>,
    /// For more of them.
    room: Room,
}

struct Waiting {
    /// By which it came.
    number: u64,
    bytes: usize,
    trigger: Trigger,
}

impl Default for Gate {
    fn default() -> Self {
        let room = Room { jobs: MOST_WAITING, bytes: MOST_BYTES };
        Self { limit: 0, inside: 0, waiting: VecDeque::new(), room }
    }
}

pub(super) struct Gates {
    gates: BTreeMap<Key, Gate>,
    /// A gate goes with the last stream that asked for it.
    wanted: HashMap<StreamId, Vec<Key>>,
    share: Share,
    /// How many have waited so far.
    number: u64,
}

/// Which of how many schedulers this one is.
#[derive(Clone, Copy, Debug)]
struct Share {
    schedulers: usize,
    index: usize,
}

impl Default for Gates {
    fn default() -> Self {
        let share = Share { schedulers: 1, index: 0 };
        Self { gates: BTreeMap::new(), wanted: HashMap::new(), share, number: 0 }
    }
}

impl Limits {
    pub(super) fn of(namespace: &str, limits: &[ConcurrencyLimit]) -> Self {
        let known = limits.iter().filter_map(|limit| {
            let most = usize::try_from(limit.max_concurrent).ok().filter(|most| *most > 0)?;
            let Some(LimitTarget::Actor(actor)) = &limit.target else { return None };
            Some((Key::new(namespace, &actor.r#type, limit.name.as_deref()), most))
        });
        Self(known.collect())
    }
}

impl Key {
    fn new(namespace: &str, actor_type: &str, name: Option<&str>) -> Self {
        Self { namespace: namespace.to_owned(), actor_type: actor_type.to_owned(), name: name.map(str::to_owned) }
    }

    fn of_type(&self) -> Self {
        Self::new(&self.namespace, &self.actor_type, None)
    }

    fn is_same_type(&self, other: &Self) -> bool {
        (&self.namespace, &self.actor_type) == (&other.namespace, &other.actor_type)
    }

    /// As metrics show it: the actor type, perhaps with a name behind a colon.
    pub(super) fn shown(&self) -> String {
        let Self { actor_type, name, .. } = self;
        name.as_ref().map_or_else(|| actor_type.clone(), |name| format!("{actor_type}:{name}"))
    }
}

impl Gate {
    fn has_room(&self, share: Share) -> bool {
        self.inside < share.of(self.limit)
    }

    fn take(&mut self) -> Option<Trigger> {
        let Waiting { bytes, trigger, .. } = self.waiting.pop_front()?;
        self.room = Room { jobs: self.room.jobs + 1, bytes: self.room.bytes + bytes.min(MOST_BYTES) };
        Some(trigger)
    }
}

impl Share {
    /// The part of a limit that this scheduler hands out: the first ones get what is left over, and each gets one at least.
    fn of(self, limit: usize) -> usize {
        let Self { schedulers, index } = self;
        if schedulers <= 1 {
            return limit;
        }
        (limit / schedulers + usize::from(index < limit % schedulers)).max(1)
    }
}

impl Gates {
    /// The latest word on a gate holds. Returns what waited at gates that nobody wants any more.
    pub(super) fn join(&mut self, stream: StreamId, limits: Limits) -> Vec<Trigger> {
        let mut keys = Vec::new();
        for (key, limit) in limits.0 {
            self.gates.entry(key.clone()).or_default().limit = limit;
            keys.push(key);
        }
        self.wanted.insert(stream, keys);
        self.forget_unwanted()
    }

    pub(super) fn leave(&mut self, stream: StreamId) -> Vec<Trigger> {
        self.wanted.remove(&stream);
        self.forget_unwanted()
    }

    fn forget_unwanted(&mut self) -> Vec<Trigger> {
        let wanted: HashSet<&Key> = self.wanted.values().flatten().collect();
        let unwanted = self.gates.extract_if(.., |key, _| !wanted.contains(key));
        unwanted.flat_map(|(_, gate)| gate.waiting).map(|waiting| waiting.trigger).collect()
    }

    /// The gates that a trigger has to pass.
    pub(super) fn of(&self, metadata: Option<&JobMetadata>) -> Vec<Key> {
        let Some(metadata) = metadata.filter(|_| !self.gates.is_empty()) else { return Vec::new() };
        let Some(Type::Actor(actor)) = metadata.target.as_ref().and_then(|target| target.r#type.as_ref()) else {
            return Vec::new();
        };
        let of_type = Key::new(&metadata.namespace, &actor.r#type, None);
        let named = metadata.concurrency_key.as_deref();
        let named = named.map(|name| Key::new(&metadata.namespace, &actor.r#type, Some(name)));
        [Some(of_type), named].into_iter().flatten().filter(|key| self.gates.contains_key(key)).collect()
    }

    /// Enters all gates, or none.
    ///
    /// # Errors
    /// The first one that is full.
    pub(super) fn enter<'k>(&mut self, keys: &'k [Key]) -> Result<(), &'k Key> {
        if let Some(full) = keys.iter().find(|key| !self.has_room(key)) {
            return Err(full);
        }
        for key in keys {
            self.gates.entry(key.clone()).or_default().inside += 1;
        }
        Ok(())
    }

    pub(super) fn exit(&mut self, keys: &[Key]) {
        for key in keys {
            if let Some(gate) = self.gates.get_mut(key) {
                gate.inside = gate.inside.saturating_sub(1);
            }
        }
    }

    /// Waits at the last of its gates, that with a name if there is one: there all wait for the same. Gives the trigger back when too many do.
    pub(super) fn wait(&mut self, keys: &[Key], trigger: Trigger) -> Option<Trigger> {
        let bytes = trigger.message.encoded_len();
        let Some(gate) = keys.last().and_then(|key| self.gates.get_mut(key)) else { return Some(trigger) };
        if gate.room.take(bytes, MOST_BYTES).is_none() {
            return Some(trigger);
        }
        self.number += 1;
        gate.waiting.push_back(Waiting { number: self.number, bytes, trigger });
        None
    }

    /// How much more may wait for a recipient's limit of a name, or for that of the whole type.
    pub(super) fn waiting_room(&self, recipient: &Recipient, name: Option<&str>) -> Room {
        let Recipient::Type(namespace, actor_type) = recipient else { return Room::UNLIMITED };
        let named = name.and_then(|name| self.gates.get(&Key::new(namespace, actor_type, Some(name))));
        let gate = named.or_else(|| self.gates.get(&Key::new(namespace, actor_type, None)));
        gate.map_or(Room::UNLIMITED, |gate| gate.room)
    }

    /// Of those triggers of a type that can enter now, the one that has waited longest.
    pub(super) fn first(&mut self, key: &Key) -> Option<(Key, Trigger)> {
        let of_type = key.of_type();
        if !self.has_room(&of_type) {
            return None;
        }
        let gates = self.gates.range(&of_type..).take_while(|(key, _)| key.is_same_type(&of_type));
        let open = gates.filter(|(_, gate)| gate.has_room(self.share));
        let first = open.filter_map(|(key, gate)| Some((gate.waiting.front()?.number, key))).min()?.1.clone();
        let trigger = self.gates.get_mut(&first)?.take()?;
        Some((first, trigger))
    }

    fn has_room(&self, key: &Key) -> bool {
        self.gates.get(key).is_none_or(|gate| gate.has_room(self.share))
    }

    /// Those inside, and those who wait.
    pub(super) fn counts(&self, key: &Key) -> (usize, usize) {
        self.gates.get(key).map_or((0, 0), |gate| (gate.inside, gate.waiting.len()))
    }

    /// Returns the gates: there may be more room at them.
    pub(super) fn set_share(&mut self, schedulers: usize, index: usize) -> Vec<Key> {
        self.share = Share { schedulers: schedulers.max(1), index };
        self.gates.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_limit() {
        for (limit, schedulers) in [(100, 1), (90, 3), (100, 3), (5, 3), (3, 3)] {
            let shares = (0..schedulers).map(|index| Share { schedulers, index }.of(limit));
            assert_eq!(shares.sum::<usize>(), limit, "{limit} of {schedulers}");
        }
        assert_eq!([0, 1, 2].map(|index| Share { schedulers: 3, index }.of(5)), [2, 2, 1]);
        assert_eq!([0, 1, 2].map(|index| Share { schedulers: 3, index }.of(1)), [1, 1, 1]);
    }
}
