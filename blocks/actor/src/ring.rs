//! Consistent hashing: which host serves an actor, the same on every sidecar (protocols.md 1.2).
use blake2::{Blake2b512, Digest};
use std::collections::HashMap;
use std::sync::Arc;

/// A sidecar that hosts actors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Address of its internal gRPC server; also its name on the ring.
    pub name: String,
    pub port: i64,
    pub app_id: String,
}

/// The hosts of one actor type.
#[derive(Clone, Debug)]
pub struct Ring {
    /// Points of each host.
    replication_factor: u32,
    /// By name.
    hosts: Vec<Arc<Host>>,
    /// Points in ascending order, each with the index of its host.
    points: Vec<(u64, u32)>,
}

impl PartialEq for Ring {
    /// The points follow from the rest.
    fn eq(&self, other: &Self) -> bool {
        self.replication_factor == other.replication_factor && self.hosts == other.hosts
    }
}

impl Ring {
    /// A ring with so many points of each host.
    pub fn new(hosts: Vec<Host>, replication_factor: u32) -> Self {
        Self::with(&mut Points::default(), hosts, replication_factor)
    }

    /// The same with points that may be known already.
    pub(crate) fn with(known: &mut Points, mut hosts: Vec<Host>, replication_factor: u32) -> Self {
        hosts.sort_by(|one, other| one.name.cmp(&other.name));
        let mut points = Vec::with_capacity(hosts.len() * replication_factor as usize);
        for (index, host) in (0..).zip(&hosts) {
            points.extend(known.of(&host.name, replication_factor).iter().map(|point| (*point, index)));
        }
        points.sort_unstable();
        Self { replication_factor, hosts: hosts.into_iter().map(Arc::new).collect(), points }
    }

    /// Whether this is the ring of these hosts, which are in the order of their names.
    pub(crate) fn is_of(&self, hosts: &[Host], replication_factor: u32) -> bool {
        self.replication_factor == replication_factor && self.hosts.iter().map(|host| &**host).eq(hosts)
    }

    /// All hosts, by their name.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().map(|host| &**host)
    }

    /// Whether a host is on it.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.hosts.binary_search_by(|host| host.name.as_str().cmp(name)).is_ok()
    }

    /// The host of an actor; none on an empty ring. The id alone decides, whatever the type.
    pub fn owner(&self, actor_id: &str) -> Option<&Arc<Host>> {
        let wanted = hash(actor_id);
        let next = self.points.partition_point(|(point, _)| *point < wanted);
        let (_, index) = self.points.get(next).or_else(|| self.points.first())?;
        self.hosts.get(*index as usize)
    }
}

/// Points of hosts, which are on the rings of all types that they host.
#[derive(Debug, Default)]
pub(crate) struct Points(HashMap<String, Arc<[u64]>>);

impl Points {
    fn of(&mut self, host: &str, count: u32) -> Arc<[u64]> {
        if let Some(points) = self.0.get(host).filter(|points| points.len() == count as usize) {
            return Arc::clone(points);
        }
        let points: Arc<[u64]> = (0..count).map(|index| hash(&format!("{host}{index}"))).collect();
        self.0.insert(host.to_owned(), Arc::clone(&points));
        points
    }

    /// Forgets hosts that are gone.
    pub(crate) fn retain(&mut self, is_known: impl Fn(&str) -> bool) {
        self.0.retain(|host, _| is_known(host));
    }
}

/// The first eight bytes of BLAKE2b-512, the lowest first.
fn hash(text: &str) -> u64 {
    let digest = Blake2b512::digest(text.as_bytes());
    digest.iter().take(8).rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    /// Owners as Dapr 1.18.3 finds them.
    const VECTORS: &str = include_str!("ring/vectors.json");

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Vector {
        replication_factor: u32,
        hosts: Vec<String>,
        owners: BTreeMap<String, String>,
    }

    fn host(name: &str) -> Host {
        Host { name: name.to_owned(), port: 50002, app_id: "app".to_owned() }
    }

    #[test]
    fn owners_are_those_of_dapr() {
        let vectors: Vec<Vector> = serde_json::from_str(VECTORS).unwrap();
        assert!(vectors.len() >= 20);
        for Vector { replication_factor, hosts, owners } in vectors {
            let ring = Ring::new(hosts.iter().map(|name| host(name)).collect(), replication_factor);
            for (id, owner) in owners {
                assert_eq!(ring.owner(&id).unwrap().name, owner, "{id} of {hosts:?} with {replication_factor}");
            }
        }
    }

    #[test]
    fn hashes_are_those_of_dapr() {
        assert_eq!(hash("myactor"), 12_696_139_302_080_588_785);
        assert_eq!(hash("10.0.0.1:500020"), 7_120_362_376_346_592_644);
    }

    #[test]
    fn an_empty_ring_has_no_owner() {
        assert_eq!(Ring::new(Vec::new(), 100).owner("a"), None);
    }

    #[test]
    fn hosts_are_found_by_name() {
        let ring = Ring::new(["c:1", "a:1", "b:1"].map(host).into(), 10);
        assert!(["a:1", "b:1", "c:1"].into_iter().all(|name| ring.has(name)));
        assert!(!ring.has("d:1"));
    }

    #[test]
    fn rings_are_equal_when_their_hosts_are() {
        let ring = |port| Ring::new(vec![Host { port, ..host("a:1") }], 10);
        assert_eq!(ring(1), ring(1));
        assert_ne!(ring(1), ring(2));
        assert_ne!(ring(1), Ring::new(vec![Host { port: 1, ..host("a:1") }], 11));
    }
}
