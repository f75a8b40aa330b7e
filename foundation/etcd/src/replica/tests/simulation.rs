//! Clients that write and read through all members, while these crash, lose their disks and are cut off.
use super::world::World;
use crate::tests::{prefix, put};
use crate::{Error, Store};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use wire::etcd::etcdserverpb::compare::{CompareTarget, TargetUnion};
use wire::etcd::etcdserverpb::request_op::Request;
use wire::etcd::etcdserverpb::{Compare, PutRequest, RangeRequest, RequestOp, TxnRequest};
use wire::etcd::mvccpb::KeyValue;

const CLIENTS: u64 = 4;
const KEYS: [&str; 3] = ["a", "b", "c"];
const COUNTER: &str = "counter";
/// How long members are disturbed, of simulated time.
const UNREST: Duration = Duration::from_secs(60);

/// What clients know, all of them together: no request may contradict what was answered before it began.
#[derive(Default)]
struct Known {
    /// The last revision that anybody has seen.
    revision: i64,
    /// Of each key that was written: the revision of the last write that was answered.
    written: BTreeMap<&'static str, i64>,
    /// What was written at each revision.
    values: BTreeMap<i64, (String, String)>,
    counted: i64,
    /// Increments of which nobody knows whether they were made.
    unknown: i64,
    reads: usize,
}

/// The stores of the members that run.
type Stores = Arc<Mutex<Vec<Store>>>;

struct Client {
    number: u64,
    chance: StdRng,
    stores: Stores,
    known: Arc<Mutex<Known>>,
}

impl Client {
    async fn run(mut self, until: Instant) {
        for round in 0.. {
            if Instant::now() >= until {
                return;
            }
            let pause = self.chance.random_range(0..200);
            sleep(Duration::from_millis(pause)).await;
            let store = {
                let stores = self.stores.lock().unwrap();
                let place = self.chance.random_range(0..stores.len().max(1));
                stores.get(place).cloned()
            };
            let Some(store) = store else { continue };
            match self.chance.random_range(0..3) {
                0 => self.write(&store, round).await,
                1 => self.read(&store).await,
                _ => self.count(&store).await,
            }
        }
    }

    async fn write(&mut self, store: &Store, round: u64) {
        let (key, value) = (self.key(), format!("{}-{round}", self.number));
        let before = self.known.lock().unwrap().revision;
        let request = PutRequest { key: key.into(), value: value.clone().into(), ..PutRequest::default() };
        let Ok(done) = store.put(request).await else { return };
        let revision = done.header.unwrap().revision;
        assert!(revision > before, "a write at {revision} after {before} was seen");
        let mut known = self.known.lock().unwrap();
        let other = known.values.insert(revision, (key.to_owned(), value));
        assert_eq!(other, None, "two writes at {revision}");
        let last = known.written.entry(key).or_default();
        *last = revision.max(*last);
        known.revision = revision.max(known.revision);
    }

    async fn read(&mut self, store: &Store) {
        let key = self.key();
        let (before, last) = {
            let known = self.known.lock().unwrap();
            (known.revision, known.written.get(key).copied().unwrap_or_default())
        };
        let Ok(found) = store.range(RangeRequest { key: key.into(), ..RangeRequest::default() }).await else { return };
        let revision = found.header.unwrap().revision;
        let at = found.kvs.first().map_or(0, |kv| kv.mod_revision);
        assert!(revision >= before, "{key} was read at {revision} after {before} was seen");
        assert!(at >= last, "{key} of {at} was read after {last} was written");
        let mut known = self.known.lock().unwrap();
        known.revision = revision.max(known.revision);
        known.reads += 1;
        if let Some((key, value)) = known.values.get(&at) {
            assert_eq!((key.as_bytes(), value.as_bytes()), (&found.kvs[0].key[..], &found.kvs[0].value[..]));
        }
    }

    /// Adds one to a number, if nobody else does meanwhile.
    async fn count(&mut self, store: &Store) {
        let Ok(found) = store.range(prefix(COUNTER)).await else { return };
        let (at, number) = found.kvs.first().map_or((0, 0), |kv| (kv.mod_revision, number(&kv.value)));
        match store.txn(count(at, number + 1)).await {
            Ok(done) if done.succeeded => self.known.lock().unwrap().counted += 1,
            Ok(_) => {}
            Err(Error::NoLeader | Error::NotLeader) => {}
            Err(_) => self.known.lock().unwrap().unknown += 1,
        }
    }

    fn key(&mut self) -> &'static str {
        KEYS[self.chance.random_range(0..KEYS.len())]
    }
}

fn number(bytes: &[u8]) -> i64 {
    std::str::from_utf8(bytes).unwrap().parse().unwrap()
}

fn count(at: i64, next: i64) -> TxnRequest {
    let compare = Compare {
        target: CompareTarget::Mod.into(),
        key: COUNTER.into(),
        target_union: Some(TargetUnion::ModRevision(at)),
        ..Compare::default()
    };
    let put = PutRequest { key: COUNTER.into(), value: next.to_string().into(), ..PutRequest::default() };
    let success = vec![RequestOp { request: Some(Request::RequestPut(put)) }];
    TxnRequest { compare: vec![compare], success, failure: Vec::new() }
}

/// Never more than one member is away or has forgotten all: that is what a cluster of three is for.
async fn disturb(world: &mut World, stores: &Stores, chance: &mut StdRng, until: Instant) {
    while Instant::now() < until {
        let (member, long) = (chance.random_range(0..3), Duration::from_millis(chance.random_range(100..6000)));
        match chance.random_range(0..4) {
            0 | 1 => {
                world.cut(member);
                sleep(long).await;
                world.heal();
            }
            kind => {
                stores.lock().unwrap().clear();
                if kind == 2 {
                    world.crash(member).await
                } else {
                    world.wipe(member).await
                }
                *stores.lock().unwrap() = running(world);
                sleep(long).await;
                world.restart(member).await;
            }
        }
        *stores.lock().unwrap() = running(world);
        // It must have caught up before the next one is lost.
        world.eventually(member).await;
        world.joined(member).await;
    }
}

fn running(world: &World) -> Vec<Store> {
    (0..3).filter(|member| world.is_up(*member)).map(|member| world.store(member)).collect()
}

/// Compares what is there in the end with what was answered.
fn check(known: &Known, records: &[KeyValue]) {
    for kv in records {
        let last = KEYS.iter().find(|key| kv.key == **key).and_then(|key| known.written.get(*key));
        assert!(last.is_none_or(|last| kv.mod_revision >= *last), "a write of {:?} is lost", kv.key);
    }
    let counted = records.iter().find(|kv| kv.key == COUNTER).map_or(0, |kv| number(&kv.value));
    assert!((known.counted..=known.counted + known.unknown).contains(&counted), "{counted}: {}", known.counted);
    assert!(known.values.len() > 20 && known.reads > 20 && counted > 20, "too little was done: {counted}");
}

async fn run(seed: u64) {
    let mut world = World::new(seed).await;
    world.leader().await;
    let (known, stores) = (Arc::new(Mutex::new(Known::default())), Arc::new(Mutex::new(running(&world))));
    let until = Instant::now() + UNREST;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let chance = StdRng::seed_from_u64(seed * CLIENTS + number);
        let client = Client { number, chance, stores: Arc::clone(&stores), known: Arc::clone(&known) };
        clients.spawn(client.run(until));
    }
    disturb(&mut world, &stores, &mut StdRng::seed_from_u64(seed), until).await;
    sleep_until(until).await;
    clients.join_all().await;
    world.store(0).put(put("end", "1")).await.unwrap();
    let all = [world.eventually(0).await, world.eventually(1).await, world.eventually(2).await];
    assert!(all[0] == all[1] && all[1] == all[2], "members differ");
    check(&known.lock().unwrap(), &all[0]);
    stores.lock().unwrap().clear();
    world.close().await;
}

#[test]
fn nothing_that_was_acknowledged_is_lost_or_seen_out_of_order() {
    // Seeds are those of faults, of ways and of clients; the pauses before elections are the library's own.
    for seed in 0..6 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(run(seed));
    }
}
