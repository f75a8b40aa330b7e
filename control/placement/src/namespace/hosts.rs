//! The hosts in the tables.
use super::StreamId;
use std::collections::{BTreeMap, BTreeSet};
use wire::placement::v1::{Host, PlacementTable, PlacementTables};

/// Hosts of actors by their stream; those that host nothing are not kept.
#[derive(Debug, Default)]
pub(super) struct Hosts(BTreeMap<StreamId, Host>);

impl Hosts {
    pub(super) fn has(&self, stream: StreamId) -> bool {
        self.0.contains_key(&stream)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Types that a stream hosts.
    pub(super) fn types(&self, stream: StreamId) -> Vec<String> {
        self.0.get(&stream).map(|host| host.entities.clone()).unwrap_or_default()
    }

    /// Forgets a host; gives the types that change with that.
    pub(super) fn remove(&mut self, stream: StreamId) -> BTreeSet<String> {
        self.0.remove(&stream).as_ref().map(entities).unwrap_or_default()
    }

    /// Keeps what a host reports; gives the types that change with that.
    pub(super) fn set(&mut self, stream: StreamId, mut host: Host) -> BTreeSet<String> {
        host.entities.sort();
        let new = entities(&host);
        let changed = match self.0.get(&stream) {
            None => new,
            Some(known) if (&known.id, &known.namespace) == (&host.id, &host.namespace) => {
                entities(known).symmetric_difference(&new).cloned().collect()
            }
            Some(known) => entities(known).union(&new).cloned().collect(),
        };
        if host.entities.is_empty() {
            self.0.remove(&stream);
        } else if !changed.is_empty() {
            self.0.insert(stream, host);
        }
        changed
    }

    /// The tables by actor type. Sidecars need each host's types for none of its entries, which all of them would be in otherwise.
    pub(super) fn tables(&self, replication_factor: i64, version: u64) -> PlacementTables {
        let mut entries: std::collections::HashMap<String, PlacementTable> = std::collections::HashMap::new();
        for host in self.0.values() {
            for entity in &host.entities {
                entries.entry(entity.clone()).or_default().load_map.insert(host.name.clone(), routed(host));
            }
        }
        PlacementTables { entries, version: version.to_string(), api_level: 0, replication_factor }
    }

    /// All hosts by name.
    pub(super) fn sorted(&self) -> Vec<Host> {
        let mut hosts: Vec<Host> = self.0.values().cloned().collect();
        hosts.sort_by(|one, other| one.name.cmp(&other.name));
        hosts
    }
}

/// What sidecars read of a host in the tables, Dapr's and Trilby's.
fn routed(host: &Host) -> Host {
    Host { name: host.name.clone(), id: host.id.clone(), port: host.port, load: host.load, ..Host::default() }
}

fn entities(host: &Host) -> BTreeSet<String> {
    host.entities.iter().cloned().collect()
}
