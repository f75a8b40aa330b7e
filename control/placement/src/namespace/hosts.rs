//! The hosts in the tables.
use super::StreamId;
use std::collections::BTreeMap;
use wire::placement::v1::{Host, PlacementTable, PlacementTables};

/// Hosts of actors by their stream; those that host nothing are not kept.
#[derive(Debug, Default)]
pub(super) struct Hosts(BTreeMap<StreamId, Host>);

impl Hosts {
    pub(super) fn has(&self, stream: StreamId) -> bool {
        self.0.contains_key(&stream)
    }

    pub(super) fn remove(&mut self, stream: StreamId) {
        self.0.remove(&stream);
    }

    /// Keeps what a host reports; whether that changes the tables.
    pub(super) fn set(&mut self, stream: StreamId, mut host: Host) -> bool {
        host.entities.sort();
        let known = self.0.get(&stream);
        let changed = match known {
            None => !host.entities.is_empty(),
            Some(known) => {
                (&known.entities, &known.id, &known.namespace) != (&host.entities, &host.id, &host.namespace)
            }
        };
        if changed && host.entities.is_empty() {
            self.0.remove(&stream);
        } else if changed {
            self.0.insert(stream, host);
        }
        changed
    }

    /// The tables by actor type.
    pub(super) fn tables(&self, replication_factor: i64, version: u64) -> PlacementTables {
        let mut entries: std::collections::HashMap<String, PlacementTable> = std::collections::HashMap::new();
        for host in self.0.values() {
            for entity in &host.entities {
                entries.entry(entity.clone()).or_default().load_map.insert(host.name.clone(), host.clone());
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
