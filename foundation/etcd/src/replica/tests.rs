//! Members of a cluster in one process, whose ways to each other are cut, and who crash.
mod founding;
mod over_grpc;
mod simulation;
mod world;

use crate::tests::{operation, prefix, put};
use crate::{Error, Settings, Store};
use foundation_drain::Drain;
use std::time::Duration;
use tokio::time::timeout;
use wire::etcd::etcdserverpb::request_op::Request;
use wire::etcd::etcdserverpb::{PutRequest, TxnRequest};
use world::World;

/// Of simulated time.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn what_one_member_writes_all_can_read() {
    let mut world = World::new(0).await;
    let first = world.store(0).put(put("a", "1")).await.unwrap().header.unwrap().revision;
    let second = world.store(1).put(put("b", "2")).await.unwrap().header.unwrap().revision;
    assert_eq!((first, second), (2, 3));
    for member in 0..3 {
        let found = world.store(member).range(prefix("")).await.unwrap();
        assert_eq!((found.kvs.len(), found.header.unwrap().revision), (2, 3), "{member}");
    }
    world.close().await;
}

#[tokio::test(start_paused = true)]
async fn transactions_that_come_together_are_answered_in_their_order() {
    let mut world = World::new(6).await;
    let request =
        |key| TxnRequest { success: vec![operation(Request::RequestPut(put(key, "1")))], ..Default::default() };
    let follower = world.store((world.leader().await + 1) % 3);
    let done = follower.txns(vec![request("a"), request("b")]).await.unwrap();
    assert_eq!(done, [Ok(true), Ok(true)]);
    let found = follower.get_all(&["b".into(), "x".into()]).await.unwrap();
    assert_eq!(found.iter().map(|kv| kv.as_ref().map(|kv| kv.mod_revision)).collect::<Vec<_>>(), [Some(3), None]);
    world.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_watches_what_others_write() {
    let mut world = World::new(1).await;
    let mut watcher = world.store(2).watch(&"a".into(), &bytes::Bytes::new(), 0).unwrap();
    world.store(0).put(put("a", "1")).await.unwrap();
    let seen = timeout(PATIENCE, watcher.next()).await.unwrap().unwrap();
    assert_eq!((seen.events.len(), seen.revision), (1, 2));
    world.close().await;
}

#[tokio::test(start_paused = true)]
async fn most_members_go_on_without_one_and_one_does_not_without_most() {
    let mut world = World::new(2).await;
    let leader = world.leader().await;
    world.cut(leader);
    let (lonely, other) = (world.store(leader), world.store((leader + 1) % 3));
    // The first ones may have gone to the one that led.
    let written = async { while other.put(put("a", "1")).await.is_err() {} };
    timeout(PATIENCE, written).await.unwrap();
    let refused = lonely.put(put("a", "2")).await.unwrap_err();
    assert!(refused.is_temporary(), "{refused}");
    assert!(lonely.range(prefix("")).await.is_err_and(|error| error.is_temporary()));
    world.heal();
    let found = lonely.range(prefix("a")).await.unwrap();
    assert_eq!(found.kvs[0].value, "1");
    world.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_lasts_as_long_as_any_member_renews_it() {
    let mut world = World::new(3).await;
    let (id, seconds) = world.store(0).lease_grant(0, 20).await.unwrap();
    assert_eq!(seconds, 20);
    world.store(1).put(PutRequest { lease: id, ..put("leader", "me") }).await.unwrap();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(15)).await;
        assert_eq!(world.store(2).lease_renew(id).await, Ok(Some(20)));
    }
    let leader = world.leader().await;
    world.crash(leader).await;
    let other = world.store((leader + 1) % 3);
    assert_eq!(other.lease_left(id, true).await.unwrap().keys, ["leader"]);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(other.range(prefix("leader")).await.unwrap().kvs.is_empty());
    assert_eq!(other.lease_renew(id).await, Ok(None));
    assert_eq!(other.lease_revoke(id).await, Err(Error::LeaseNotFound));
    world.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_lost_its_disk_gets_all_again_and_may_not_vote_before() {
    let mut world = World::new(4).await;
    for key in ["a", "b", "c"] {
        world.store(0).put(put(key, "1")).await.unwrap();
    }
    let leader = world.leader().await;
    let wiped = (leader + 1) % 3;
    world.wipe(wiped).await;
    // Without the leader, the one that knows something and the one that knows nothing are not to agree on anything.
    world.crash(leader).await;
    world.restart(wiped).await;
    let other = world.store((leader + 2) % 3);
    assert!(other.put(put("d", "1")).await.is_err_and(|error| error.is_temporary()));
    world.restart(leader).await;
    let found = timeout(PATIENCE, world.eventually(wiped)).await.unwrap();
    assert_eq!(found.len(), 3);
    world.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_was_away_for_long_gets_a_snapshot() {
    let mut world = World::new(5).await;
    let away = (world.leader().await + 1) % 3;
    let other = world.store((away + 1) % 3);
    let (lease, _) = other.lease_grant(7, 1000).await.unwrap();
    world.crash(away).await;
    other.put(PutRequest { lease, ..put("leader", "me") }).await.unwrap();
    for number in 0..200 {
        let key = format!("{}", number % 50);
        other.put(PutRequest { key: key.into(), ..put("", "x") }).await.unwrap();
    }
    world.restart(away).await;
    let mut watcher = world.store(away).watch(&"new".into(), &bytes::Bytes::new(), 0).unwrap();
    assert_eq!(world.eventually(away).await, world.eventually((away + 1) % 3).await);
    assert_eq!(world.store(away).lease_left(lease, true).await.unwrap().keys, ["leader"]);
    // What it has not seen is told to be gone; from now on it sees everything.
    assert_eq!(timeout(PATIENCE, watcher.next()).await.unwrap(), Err(Error::Compacted));
    let mut watcher = world.store(away).watch(&"new".into(), &bytes::Bytes::new(), 0).unwrap();
    world.store(away).put(put("new", "1")).await.unwrap();
    assert_eq!(timeout(PATIENCE, watcher.next()).await.unwrap().unwrap().events.len(), 1);
    world.store(away).defragment().await.unwrap();
    world.crash(away).await;
    world.restart(away).await;
    assert_eq!(world.eventually(away).await.len(), 52);
    world.close().await;
}

#[tokio::test]
async fn a_single_store_and_one_of_several_do_not_mix() {
    let (folder, drain) = (tempfile::tempdir().unwrap(), Drain::new());
    let settings = |name: &str| Settings { ..crate::tests::settings(&folder.path().join(name)) };
    drop(Store::open(settings("single"), &drain).await.unwrap());
    let refused = World::join_in(settings("single"), &drain).await.err().unwrap();
    assert!(refused.to_string().contains("single scheduler"), "{refused}");
    drop(World::join_in(settings("member"), &drain).await.unwrap());
    let refused = Store::open(settings("member"), &drain).await.err().unwrap();
    assert!(refused.to_string().contains("--etcd-initial-cluster"), "{refused}");
    assert!(drain.close(Duration::from_secs(30)).await);
}
