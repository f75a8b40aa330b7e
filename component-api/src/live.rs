//! The live components of one kind: a snapshot that is swapped as a whole, so that a request sees one world.
use crate::Properties;
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A component as it was configured, running.
#[derive(Debug)]
pub struct Instance<T: ?Sized> {
    /// Name of the resource.
    pub name: String,
    /// Full type, such as `state.redis`.
    pub kind: String,
    /// Version, such as `v1`.
    pub version: String,
    /// All its metadata after secrets were resolved; the runtime reads reserved names from it.
    pub properties: Properties,
    /// The component.
    pub component: Arc<T>,
}

/// The live components of one kind, by name. Clones share the same set.
#[derive(Debug)]
pub struct Live<T: ?Sized>(Arc<ArcSwap<BTreeMap<String, Arc<Instance<T>>>>>);

impl<T: ?Sized> Live<T> {
    /// The component of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Instance<T>>> {
        self.0.load().get(name).cloned()
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.0.load().is_empty()
    }

    /// All of them, as they are now, by name.
    pub fn all(&self) -> Arc<BTreeMap<String, Arc<Instance<T>>>> {
        self.0.load_full()
    }

    /// Adds one, or puts it in the place of the one with its name, which is returned.
    pub fn insert(&self, instance: Instance<T>) -> Option<Arc<Instance<T>>> {
        let instance = Arc::new(instance);
        let before = self.0.rcu(|all| {
            let mut next = BTreeMap::clone(all);
            next.insert(instance.name.clone(), Arc::clone(&instance));
            next
        });
        before.get(&instance.name).cloned()
    }

    /// Takes one out and returns it.
    pub fn remove(&self, name: &str) -> Option<Arc<Instance<T>>> {
        let before = self.0.rcu(|all| {
            let mut next = BTreeMap::clone(all);
            next.remove(name);
            next
        });
        before.get(name).cloned()
    }
}

impl<T: ?Sized> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized> Default for Live<T> {
    fn default() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(BTreeMap::new())))
    }
}
