//! The tables of the placement service: a ring for each actor type.
use crate::model::ActorKey;
use crate::ring::{Host, Points, Ring};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use wire::placement::v1::{PlacementTable, PlacementTables};

/// All rings, by actor type. Tables are replaced as a whole; rings that stay the same are shared.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    rings: HashMap<String, Arc<Ring>>,
    points: Points,
}

impl Tables {
    /// Takes new tables over, and returns the types whose ring is another one now, or gone.
    pub(crate) fn replace(&mut self, new: PlacementTables) -> BTreeSet<String> {
        let factor = u32::try_from(new.replication_factor).unwrap_or_default();
        let hosts: HashSet<String> =
            new.entries.values().flat_map(|table| table.load_map.values().map(|host| host.name.clone())).collect();
        let rings: HashMap<String, Arc<Ring>> =
            new.entries.into_iter().map(|(actor_type, table)| self.ring(actor_type, table, factor)).collect();
        self.points.retain(|host| hosts.contains(host));
        let known = self.rings.keys().chain(rings.keys());
        let changed = known.filter(|actor_type| self.rings.get(*actor_type) != rings.get(*actor_type));
        let changed = changed.cloned().collect();
        self.rings = rings;
        changed
    }

    /// Forgets all rings.
    pub(crate) fn clear(&mut self) {
        self.rings.clear();
    }

    /// The host of an actor; none when nobody hosts its type.
    pub(crate) fn owner(&self, actor: &ActorKey) -> Option<&Arc<Host>> {
        self.rings.get(&actor.actor_type)?.owner(&actor.id)
    }

    /// Whether a host hosts a type.
    pub(crate) fn has(&self, actor_type: &str, host: &str) -> bool {
        self.rings.get(actor_type).is_some_and(|ring| ring.has(host))
    }

    /// Names of the hosts of a type.
    pub(crate) fn hosts(&self, actor_type: &str) -> Vec<String> {
        let ring = self.rings.get(actor_type);
        ring.map(|ring| ring.hosts().map(|host| host.name.clone()).collect()).unwrap_or_default()
    }

    /// The ring that there is already, if its hosts are the same.
    fn ring(&mut self, actor_type: String, table: PlacementTable, factor: u32) -> (String, Arc<Ring>) {
        let host = |host: wire::placement::v1::Host| Host { name: host.name, port: host.port, app_id: host.id };
        let mut hosts: Vec<_> = table.load_map.into_values().map(host).collect();
        hosts.sort_by(|one, other| one.name.cmp(&other.name));
        let ring = match self.rings.get(&actor_type).filter(|ring| ring.is_of(&hosts, factor)) {
            Some(ring) => Arc::clone(ring),
            None => Arc::new(Ring::with(&mut self.points, hosts, factor)),
        };
        (actor_type, ring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(types: &[(&str, &[&str])]) -> PlacementTables {
        let host = |name: &&str| {
            let host = wire::placement::v1::Host { name: (*name).to_owned(), ..Default::default() };
            ((*name).to_owned(), host)
        };
        let table =
            |hosts: &[&str]| PlacementTable { load_map: hosts.iter().map(host).collect(), ..Default::default() };
        let entries = types.iter().map(|(name, hosts)| ((*name).to_owned(), table(hosts))).collect();
        PlacementTables { entries, replication_factor: 10, ..Default::default() }
    }

    #[test]
    fn changed_types_are_named() {
        let mut all = Tables::default();
        assert_eq!(all.replace(tables(&[("a", &["h:1"]), ("b", &["h:1"])])), ["a", "b"].map(str::to_owned).into());
        assert_eq!(all.replace(tables(&[("a", &["h:1"]), ("b", &["h:1"])])), BTreeSet::new());
        assert_eq!(
            all.replace(tables(&[("a", &["h:1", "h:2"]), ("c", &["h:1"])])),
            ["a", "b", "c"].map(str::to_owned).into()
        );
        assert!(all.owner(&ActorKey::new("c", "1")).is_some_and(|host| host.name == "h:1"));
        assert_eq!(all.owner(&ActorKey::new("b", "1")), None);
    }
}
