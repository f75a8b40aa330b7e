//! Long-lived things kept in step with what is wanted, where starting and ending them takes time.
use std::collections::BTreeMap;

/// What is at work or on its way there, by name. It is changed at once and nothing here waits, so that none that is slow to
/// start or to end holds up another.
#[derive(Debug)]
pub struct Places<Name, Aim, Running> {
    places: BTreeMap<Name, Place<Aim, Running>>,
    changes: u64,
}

#[derive(Debug)]
struct Place<Aim, Running> {
    aim: Aim,
    /// None while it is being started.
    running: Option<Running>,
}

/// What is to be done after a change.
#[derive(Debug)]
pub struct Change<Name, Aim, Running> {
    /// What is not wanted any more, to be ended.
    pub stale: Vec<Running>,
    /// What is to be started and then brought to [`Places::started`] or [`Places::failed`].
    pub missing: Vec<(Name, Aim)>,
    /// Number of the change.
    pub number: u64,
}

impl<Name, Aim, Running> Default for Places<Name, Aim, Running> {
    fn default() -> Self {
        Self { places: BTreeMap::new(), changes: 0 }
    }
}

impl<Name: Clone + Ord, Aim: Clone + PartialEq, Running> Places<Name, Aim, Running> {
    /// Keeps what is wanted and takes places for the rest of it.
    pub fn change(&mut self, mut wanted: BTreeMap<Name, Aim>) -> Change<Name, Aim, Running> {
        self.changes += 1;
        let mut stale = Vec::new();
        for (name, place) in std::mem::take(&mut self.places) {
            if wanted.get(&name).is_some_and(|aim| *aim == place.aim) {
                wanted.remove(&name);
                self.places.insert(name, place);
            } else {
                stale.extend(place.running);
            }
        }
        let place = |(name, aim): (&Name, &Aim)| (name.clone(), Place { aim: aim.clone(), running: None });
        self.places.extend(wanted.iter().map(place));
        Change { stale, missing: wanted.into_iter().collect(), number: self.changes }
    }

    /// Whether a change was the last one.
    pub fn is_last(&self, number: u64) -> bool {
        self.changes == number
    }

    /// Puts what was started into its place; gives it back when it is not wanted there any more.
    #[must_use = "what is given back is to be ended"]
    pub fn started(&mut self, name: &Name, aim: &Aim, running: Running) -> Option<Running> {
        match self.places.get_mut(name).filter(|place| place.running.is_none() && place.aim == *aim) {
            Some(place) => place.running.replace(running),
            None => Some(running),
        }
    }

    /// Gives up the place of what could not be started.
    pub fn failed(&mut self, name: &Name, aim: &Aim) {
        if self.places.get(name).is_some_and(|place| place.running.is_none() && place.aim == *aim) {
            self.places.remove(name);
        }
    }

    /// Adds what was started without a place of its own.
    pub fn add(&mut self, name: Name, aim: Aim, running: Running) {
        self.places.insert(name, Place { aim, running: Some(running) });
    }

    /// Takes something out, to be ended.
    pub fn remove(&mut self, name: &Name) -> Option<Running> {
        self.places.remove(name)?.running
    }

    /// What all of it is for.
    pub fn aims(&self) -> impl Iterator<Item = &Aim> {
        self.places.values().map(|place| &place.aim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(all: &[(&'static str, u8)]) -> BTreeMap<&'static str, u8> {
        all.iter().copied().collect()
    }

    #[test]
    fn what_is_wanted_stays_and_the_rest_changes() {
        let mut places = Places::default();
        let first = places.change(wanted(&[("kept", 1), ("changed", 1), ("gone", 1)]));
        assert_eq!(first.missing, [("changed", 1), ("gone", 1), ("kept", 1)]);
        for (name, aim) in &first.missing {
            assert_eq!(places.started(name, aim, format!("{name} {aim}")), None);
        }
        let second = places.change(wanted(&[("kept", 1), ("changed", 2), ("new", 1)]));
        assert_eq!(
            (second.stale, second.missing),
            (vec!["changed 1".to_owned(), "gone 1".to_owned()], vec![("changed", 2), ("new", 1)])
        );
        assert_eq!((places.is_last(first.number), places.is_last(second.number)), (false, true));
        assert_eq!(places.remove(&"kept"), Some("kept 1".to_owned()));
    }

    #[test]
    fn what_comes_too_late_has_no_place() {
        let mut places = Places::default();
        places.change(wanted(&[("a", 1), ("b", 1)]));
        assert!(places.change(wanted(&[("a", 1), ("b", 2)])).missing == [("b", 2)], "a is on its way");
        assert_eq!(places.started(&"b", &1, "old"), Some("old"));
        assert_eq!(places.started(&"b", &2, "new"), None);
        places.failed(&"b", &2);
        assert_eq!(places.remove(&"b"), Some("new"), "it runs");
        places.failed(&"a", &1);
        assert_eq!(places.change(wanted(&[("a", 1)])).missing, [("a", 1)], "it is tried again");
    }
}
