//! Three members, and the network between them.
use super::super::joining::Gate;
use super::super::{Members, Replica, Transport, Unreached};
use crate::tests::{prefix, settings};
use crate::{Error, Settings, Store};
use foundation_drain::Drain;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tonic::async_trait;
use wire::etcd::mvccpb::KeyValue;
use wire::trilby::replication::v1::Request;
use wire::trilby::replication::v1::request::Call;
use wire::trilby::replication::v1::response::Answer;

const CLUSTER: [&str; 3] = ["a=http://a:1", "b=http://b:1", "c=http://c:1"];
const NAMES: [&str; 3] = ["a", "b", "c"];
/// Longest way of a message, in milliseconds.
const WAY: u64 = 20;

/// Who can reach whom.
struct Network {
    members: Mutex<HashMap<u64, Arc<Replica>>>,
    cut: Mutex<HashSet<u64>>,
    chance: Mutex<StdRng>,
}

/// One member's way into the network.
struct Wire {
    network: Arc<Network>,
    own: u64,
    cluster: u64,
}

#[async_trait]
impl Transport for Wire {
    async fn exchange(&self, to: u64, call: Call, patience: Duration) -> Result<Answer, Unreached> {
        let exchanged = timeout(patience, self.network.carry(self.cluster, self.own, to, call)).await;
        exchanged.map_err(|_| Unreached::lost("too late"))?
    }
}

impl Network {
    async fn carry(&self, cluster: u64, from: u64, to: u64, call: Call) -> Result<Answer, Unreached> {
        self.travel(from, to).await;
        let member = self.members.lock().unwrap().get(&to).cloned();
        let member = member.ok_or_else(|| Unreached::not_sent("nobody is there"))?;
        let answer = member.answer(Request { cluster, from, to, call: Some(call) }).await;
        self.travel(to, from).await;
        Ok(answer)
    }

    /// Messages of those who are cut off never arrive.
    async fn travel(&self, from: u64, to: u64) {
        let way = self.chance.lock().unwrap().random_range(0..WAY);
        sleep(Duration::from_millis(way)).await;
        let is_cut = self.cut.lock().unwrap().iter().any(|member| [from, to].contains(member));
        if is_cut {
            std::future::pending::<()>().await;
        }
    }
}

struct Running {
    store: Store,
    drain: Drain,
}

/// A cluster.
pub(super) struct World {
    folder: TempDir,
    network: Arc<Network>,
    members: [Option<Running>; 3],
    /// Each life of a member has a folder of its own: a crash leaves what was written through to the disk.
    lives: [u32; 3],
}

impl World {
    pub(super) async fn new(seed: u64) -> Self {
        let mut world = Self::empty(seed);
        for member in 0..3 {
            world.restart(member).await;
        }
        for member in 0..3 {
            world.joined(member).await;
        }
        world
    }

    /// Without members, none of which has been there yet.
    pub(super) fn empty(seed: u64) -> Self {
        let network = Network {
            members: Mutex::default(),
            cut: Mutex::default(),
            chance: Mutex::new(StdRng::seed_from_u64(seed)),
        };
        let folder = tempfile::tempdir().unwrap();
        Self { folder, network: Arc::new(network), members: [const { None }; 3], lives: [0; 3] }
    }

    /// A member of its own, whom nobody can reach.
    pub(super) async fn join_in(settings: Settings, drain: &Drain) -> Result<Store, Error> {
        let world = Self::new(0).await;
        join(settings, &world.network, 0, drain).await
    }

    pub(super) fn is_up(&self, member: usize) -> bool {
        self.members[member].is_some()
    }

    pub(super) fn store(&self, member: usize) -> Store {
        self.members[member].as_ref().unwrap().store.clone()
    }

    pub(super) fn cut(&self, member: usize) {
        self.network.cut.lock().unwrap().insert(id(member));
    }

    pub(super) fn heal(&self) {
        self.network.cut.lock().unwrap().clear();
    }

    /// Waits for a leader that most members know.
    pub(super) async fn leader(&self) -> usize {
        loop {
            let known: Vec<_> = (0..3).filter(|member| self.is_up(*member)).map(|member| self.known(member)).collect();
            let leader = (0..3).find(|leader| known.iter().filter(|known| **known == id(*leader)).count() > 1);
            if let Some(leader) = leader {
                return leader;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn known(&self, member: usize) -> u64 {
        self.store(member).situation().unwrap().leader
    }

    /// All records as a member shows them, once it can.
    pub(super) async fn eventually(&self, member: usize) -> Vec<KeyValue> {
        loop {
            if let Ok(found) = self.store(member).range(prefix("")).await {
                return found.kvs;
            }
        }
    }

    /// Waits until a member is one again.
    pub(super) async fn joined(&self, member: usize) {
        let replica = replica(&self.store(member));
        while replica.gate.get() < Gate::Open {
            sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) async fn restart(&mut self, member: usize) {
        let drain = Drain::new();
        let store = join(settings(&self.life(member)), &self.network, member, &drain).await.unwrap();
        self.network.members.lock().unwrap().insert(id(member), replica(&store));
        self.members[member] = Some(Running { store, drain });
    }

    /// Ends a member; what it has not written through to its disk is gone.
    pub(super) async fn crash(&mut self, member: usize) {
        let before = self.life(member);
        self.lives[member] += 1;
        self.network.members.lock().unwrap().remove(&id(member));
        let Running { store, drain } = self.members[member].take().unwrap();
        let (replica, after) = (replica(&store), self.life(member));
        replica.raft.shutdown().await.unwrap();
        tokio::task::spawn_blocking(move || copy(&replica, &before, &after)).await.unwrap();
        drop(store);
        drain.stop();
    }

    /// Ends a member; its disk is empty from now on.
    pub(super) async fn wipe(&mut self, member: usize) {
        self.crash(member).await;
        std::fs::remove_dir_all(self.life(member)).unwrap();
    }

    pub(super) async fn close(&mut self) {
        for member in self.members.iter_mut().filter_map(Option::take) {
            let Running { store, drain } = member;
            drop(store);
            assert!(drain.close(Duration::from_secs(30)).await);
        }
    }

    fn life(&self, member: usize) -> PathBuf {
        self.folder.path().join(format!("{}-{}", NAMES[member], self.lives[member]))
    }
}

async fn join(settings: Settings, network: &Arc<Network>, member: usize, drain: &Drain) -> Result<Store, Error> {
    let members = Members::parse(CLUSTER, NAMES[member]).unwrap();
    let wire = Wire { network: Arc::clone(network), own: members.own().id, cluster: members.cluster() };
    Store::join_by(settings, members, Arc::new(wire), drain).await
}

fn replica(store: &Store) -> Arc<Replica> {
    Arc::clone(&store.member().unwrap().replica)
}

fn id(member: usize) -> u64 {
    Members::parse(CLUSTER, NAMES[member]).unwrap().own().id
}

/// Nothing is written meanwhile.
fn copy(replica: &Replica, before: &Path, after: &Path) {
    std::fs::create_dir_all(after).unwrap();
    replica.while_nothing_is_written(|| {
        for name in ["store.redb", "log.redb"] {
            std::fs::copy(before.join(name), after.join(name)).unwrap();
        }
    });
}
