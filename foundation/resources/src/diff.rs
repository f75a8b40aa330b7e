//! What changes from one set of resources to the next.
use crate::Resource;

/// What changes from one set of resources of a kind to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff<T> {
    /// Names that are new.
    pub added: Vec<T>,
    /// Names whose content is another: the new content.
    pub changed: Vec<T>,
    /// Names that are gone: the old content.
    pub removed: Vec<T>,
}

impl<T: Resource> Diff<T> {
    /// Compares two sets by name and content.
    pub fn between(before: &[T], after: &[T]) -> Self {
        let find = |set: &[T], one: &T| set.iter().find(|other| other.metadata().name == one.metadata().name).cloned();
        let added = after.iter().filter(|new| find(before, new).is_none());
        let changed = after.iter().filter(|new| find(before, new).is_some_and(|old| old != **new));
        let removed = before.iter().filter(|old| find(after, old).is_none());
        Self {
            added: added.cloned().collect(),
            changed: changed.cloned().collect(),
            removed: removed.cloned().collect(),
        }
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    /// All of it, in the order in which changes are made, with words for the log.
    pub fn events(&self) -> impl Iterator<Item = (&'static str, &T)> {
        let removed = self.removed.iter().map(|one| ("DELETED", one));
        let changed = self.changed.iter().map(|one| ("UPDATED", one));
        removed.chain(changed).chain(self.added.iter().map(|one| ("CREATED", one)))
    }
}
