//! How many triggers of an actor type may run at once, and how many of those with a name.
//!
//! A limit is one of all schedulers together: each keeps to its share.
use super::{StreamId, Trigger};
use std::collections::{HashMap, HashSet, VecDeque};
use wire::scheduler::v1::concurrency_limit::Target as LimitTarget;
use wire::scheduler::v1::job_target_metadata::Type;
use wire::scheduler::v1::{ConcurrencyLimit, JobMetadata};

/// Triggers that wait at one gate; more fail.
const MOST_WAITING: usize = 100_000;

/// Which gate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    namespace: String,
    /// The actor type, perhaps with a name behind a colon.
    pub(super) name: String,
}

/// What one stream asks for.
pub(super) struct Limits(Vec<(Key, usize)>);

#[derive(Default)]
struct Gate {
    limit: usize,
    inside: usize,
    waiting: VecDeque<Trigger>,
}

pub(super) struct Gates {
    gates: HashMap<Key, Gate>,
    /// A gate goes with the last stream that asked for it.
    wanted: HashMap<StreamId, Vec<Key>>,
    schedulers: usize,
    index: usize,
}

impl Default for Gates {
    fn default() -> Self {
        Self { gates: HashMap::new(), wanted: HashMap::new(), schedulers: 1, index: 0 }
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
        let name = name.map_or_else(|| actor_type.to_owned(), |name| format!("{actor_type}:{name}"));
        Self { namespace: namespace.to_owned(), name }
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
        let unwanted = self.gates.extract_if(|key, _| !wanted.contains(key));
        unwanted.flat_map(|(_, gate)| gate.waiting).collect()
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

    /// Waits at the first gate; gives the trigger back when too many do.
    pub(super) fn wait(&mut self, keys: &[Key], trigger: Trigger) -> Option<Trigger> {
        let gate = keys.first().and_then(|key| self.gates.get_mut(key));
        match gate.filter(|gate| gate.waiting.len() < MOST_WAITING) {
            Some(gate) => {
                gate.waiting.push_back(trigger);
                None
            }
            None => Some(trigger),
        }
    }

    pub(super) fn first(&mut self, key: &Key) -> Option<Trigger> {
        self.gates.get_mut(key)?.waiting.pop_front()
    }

    pub(super) fn waiting(&self, key: &Key) -> usize {
        self.gates.get(key).map_or(0, |gate| gate.waiting.len())
    }

    pub(super) fn has_room(&self, key: &Key) -> bool {
        self.gates.get(key).is_none_or(|gate| gate.inside < share(gate.limit, self.schedulers, self.index))
    }

    /// Those inside, and those who wait.
    pub(super) fn counts(&self, key: &Key) -> (usize, usize) {
        self.gates.get(key).map_or((0, 0), |gate| (gate.inside, gate.waiting.len()))
    }

    /// Returns the gates: there may be more room at them.
    pub(super) fn set_share(&mut self, schedulers: usize, index: usize) -> Vec<Key> {
        (self.schedulers, self.index) = (schedulers.max(1), index);
        self.gates.keys().cloned().collect()
    }
}

/// The part of a limit that one of several schedulers hands out: the first ones get what is left over, and each gets one at least.
fn share(limit: usize, schedulers: usize, index: usize) -> usize {
    if schedulers <= 1 {
        return limit;
    }
    (limit / schedulers + usize::from(index < limit % schedulers)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_limit() {
        for (limit, schedulers) in [(100, 1), (90, 3), (100, 3), (5, 3), (3, 3)] {
            let shares = (0..schedulers).map(|index| share(limit, schedulers, index));
            assert_eq!(shares.sum::<usize>(), limit, "{limit} of {schedulers}");
        }
        assert_eq!([0, 1, 2].map(|index| share(5, 3, index)), [2, 2, 1]);
        assert_eq!([0, 1, 2].map(|index| share(1, 3, index)), [1, 1, 1]);
    }
}
