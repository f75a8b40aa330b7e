//! The store as its clients see it.
mod damage;
mod model;
mod over_grpc;
mod paging;

use crate::{Changes, Error, Settings, Store, prefix_end};
use bytes::Bytes;
use foundation_drain::Drain;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use wire::etcd::etcdserverpb::compare::{CompareTarget, TargetUnion};
use wire::etcd::etcdserverpb::request_op::Request;
use wire::etcd::etcdserverpb::{Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest};
use wire::etcd::mvccpb::KeyValue;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn settings(folder: &Path) -> Settings {
    Settings {
        folder: folder.to_owned(),
        quota: 1 << 40,
        most_operations: 128,
        history_bytes: 1 << 20,
        history_revisions: 1000,
    }
}

struct World {
    store: Store,
    drain: Drain,
    folder: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let (folder, drain) = (tempfile::tempdir().unwrap(), Drain::new());
        let mut settings = settings(folder.path());
        change(&mut settings);
        Self { store: Store::open(settings, &drain).await.unwrap(), drain, folder }
    }

    async fn put(&self, key: &'static str, value: &'static str) -> i64 {
        self.store.put(put(key, value)).await.unwrap().header.unwrap().revision
    }

    async fn all(&self) -> Vec<(String, String)> {
        let found = self.store.range(prefix("")).await.unwrap();
        found.kvs.iter().map(shown).collect()
    }

    /// The same store after its process has ended.
    async fn again(self) -> Self {
        let Self { store, drain, folder } = self;
        drop(store);
        assert!(drain.close(PATIENCE).await);
        let drain = Drain::new();
        loop {
            // The thread that wrote may still hold the file.
            match Store::open(settings(folder.path()), &drain).await {
                Ok(store) => return Self { store, drain, folder },
                Err(Error::Storage(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

pub(crate) fn put(key: &'static str, value: &'static str) -> PutRequest {
    PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() }
}

pub(crate) fn prefix(prefix: &'static str) -> RangeRequest {
    let key = if prefix.is_empty() { Bytes::from_static(&[0]) } else { prefix.into() };
    RangeRequest { key, range_end: prefix_end(prefix.as_bytes()), ..RangeRequest::default() }
}

fn shown(kv: &KeyValue) -> (String, String) {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    (text(&kv.key), text(&kv.value))
}

pub(crate) fn operation(request: Request) -> RequestOp {
    RequestOp { request: Some(request) }
}

/// Puts a key if another one is at a revision, else deletes it.
fn put_if(key: &'static str, other: &'static str, revision: i64) -> TxnRequest {
    let compare = Compare {
        target: CompareTarget::Mod.into(),
        key: other.into(),
        target_union: Some(TargetUnion::ModRevision(revision)),
        ..Compare::default()
    };
    let delete = DeleteRangeRequest { key: key.into(), ..DeleteRangeRequest::default() };
    TxnRequest {
        compare: vec![compare],
        success: vec![operation(Request::RequestPut(put(key, "new")))],
        failure: vec![operation(Request::RequestDeleteRange(delete))],
    }
}

#[tokio::test]
async fn revisions_count_writes_and_records_know_theirs() {
    let world = World::new().await;
    assert_eq!((world.put("a", "1").await, world.put("b", "1").await, world.put("a", "2").await), (2, 3, 4));
    let found = world.store.range(prefix("a")).await.unwrap();
    let KeyValue { create_revision, mod_revision, version, .. } = found.kvs[0];
    assert_eq!((create_revision, mod_revision, version, found.header.unwrap().revision), (2, 4, 2, 4));
    let nothing = DeleteRangeRequest { key: "x".into(), ..DeleteRangeRequest::default() };
    assert_eq!(world.store.delete_range(nothing).await.unwrap().header.unwrap().revision, 4);
}

#[tokio::test]
async fn transactions_that_come_together_stand_each_for_itself() {
    let world = World::with(|settings| settings.quota = 400).await;
    let revision = world.put("job", "x").await;
    let too_much = PutRequest { key: "big".into(), value: vec![0; 500].into(), ..PutRequest::default() };
    let too_much = TxnRequest { success: vec![operation(Request::RequestPut(too_much))], ..TxnRequest::default() };
    let all = vec![put_if("a", "job", revision), put_if("b", "job", 9), put_if("job", "job", revision), too_much];
    let done = world.store.txns(all).await.unwrap();
    assert_eq!(done, [Ok(true), Ok(false), Ok(true), Err(Error::NoSpace)]);
    let found = world.store.get_all(&["job".into(), "b".into(), "a".into()]).await.unwrap();
    let revisions: Vec<_> = found.iter().map(|kv| kv.as_ref().map(|kv| kv.mod_revision)).collect();
    assert_eq!(revisions, [Some(revision + 2), None, Some(revision + 1)]);
    let senseless = TxnRequest { success: vec![operation(Request::RequestPut(put("", "")))], ..TxnRequest::default() };
    assert_eq!(world.store.txns(vec![put_if("c", "job", 9), senseless]).await, Err(Error::NoKey));
}

#[tokio::test]
async fn a_transaction_does_one_of_two_things() {
    let world = World::new().await;
    let revision = world.put("job", "x").await;
    assert!(world.store.txn(put_if("counter", "job", revision)).await.unwrap().succeeded);
    assert!(!world.store.txn(put_if("counter", "job", revision + 9)).await.unwrap().succeeded);
    assert_eq!(world.all().await, [("job".to_owned(), "x".to_owned())]);
    let twice = ["a", "a"].map(|key| operation(Request::RequestPut(put(key, "")))).to_vec();
    let refused = world.store.txn(TxnRequest { success: twice, ..TxnRequest::default() }).await;
    assert_eq!(refused, Err(Error::DuplicateKey));
    assert_eq!(world.store.put(put("", "")).await, Err(Error::NoKey));
}

#[tokio::test]
async fn pages_follow_each_other_at_one_revision() {
    let world = World::new().await;
    for key in ["a", "b", "c", "d"] {
        world.put(key, "old").await;
    }
    let first = world.store.range(RangeRequest { limit: 2, ..prefix("") }).await.unwrap();
    assert_eq!((first.kvs.len(), first.more, first.count), (2, true, 4));
    world.put("c", "new").await;
    world.put("cc", "new").await;
    let delete = DeleteRangeRequest { key: "d".into(), ..DeleteRangeRequest::default() };
    world.store.delete_range(delete).await.unwrap();
    let next = RangeRequest { key: "b\0".into(), revision: first.header.unwrap().revision, limit: 9, ..prefix("") };
    let second = world.store.range(next.clone()).await.unwrap();
    let expected = ["c", "d"].map(|key| (key.to_owned(), "old".to_owned()));
    assert_eq!(second.kvs.iter().map(shown).collect::<Vec<_>>(), expected);
    assert_eq!(world.store.range(RangeRequest { revision: 99, ..next.clone() }).await, Err(Error::FutureRevision));
    world.store.compact(world.store.now().revision).await.unwrap();
    assert_eq!(world.store.range(next).await, Err(Error::Compacted));
}

#[tokio::test]
async fn a_watch_sees_all_from_its_start_on() {
    let world = World::new().await;
    world.put("jobs/a", "1").await;
    let mut watcher = world.store.watch(&"jobs/".into(), &prefix_end(b"jobs/"), 2).unwrap();
    assert_eq!(watcher.next().await.unwrap().events.len(), 1);
    world.put("other", "").await;
    world.store.delete_range(DeleteRangeRequest { key: "jobs/a".into(), ..Default::default() }).await.unwrap();
    let Changes { events, revision } = watcher.next().await.unwrap();
    assert_eq!((events.len(), revision), (1, 4));
    assert_eq!(events[0].prev_kv.as_ref().unwrap().mod_revision, 2);
    world.store.compact(4).await.unwrap();
    let mut late = world.store.watch(&"jobs/".into(), &prefix_end(b"jobs/"), 2).unwrap();
    assert_eq!(late.next().await, Err(Error::Compacted));
}

#[tokio::test]
async fn what_is_acknowledged_is_there_after_a_restart() {
    let world = World::new().await;
    world.put("a", "1").await;
    let lease = world.store.lease_grant(0, 20).await.unwrap().0;
    world.store.put(PutRequest { lease, ..put("leader", "me") }).await.unwrap();
    let world = world.again().await;
    assert_eq!(world.all().await, [("a".to_owned(), "1".to_owned())]);
    assert!(world.store.leases().is_empty());
    assert_eq!(world.put("b", "1").await, 5);
}

#[tokio::test]
async fn keys_go_with_their_lease() {
    let world = World::new().await;
    let (id, _) = world.store.lease_grant(7, 20).await.unwrap();
    world.store.put(PutRequest { lease: id, ..put("leader", "me") }).await.unwrap();
    assert_eq!(world.store.lease_left(id, true).await.unwrap().keys, ["leader"]);
    world.put("other", "").await;
    world.store.lease_revoke(id).await.unwrap();
    assert_eq!(world.all().await.len(), 1);
    assert_eq!(world.store.lease_revoke(id).await, Err(Error::LeaseNotFound));
    assert_eq!(world.store.put(PutRequest { lease: id, ..put("leader", "me") }).await, Err(Error::LeaseNotFound));
}

#[tokio::test]
async fn a_lease_that_is_not_renewed_is_revoked() {
    let world = World::new().await;
    let (id, _) = world.store.lease_grant(0, 1).await.unwrap();
    world.store.put(PutRequest { lease: id, ..put("leader", "me") }).await.unwrap();
    let mut watcher = world.store.watch(&"leader".into(), &Bytes::new(), 0).unwrap();
    let gone = tokio::time::timeout(PATIENCE, watcher.next()).await.unwrap().unwrap();
    assert_eq!(gone.events.len(), 1);
    assert!(world.all().await.is_empty());
}

#[tokio::test]
async fn a_full_store_can_be_emptied_and_used_again() {
    let world = World::with(|settings| settings.quota = 400).await;
    let large: &'static str = "x".repeat(120).leak();
    for key in ["b", "c", "d"] {
        world.store.put(put(key, large)).await.ok();
    }
    assert!(world.store.has_alarm());
    assert_eq!(world.store.put(put("a", "x")).await, Err(Error::NoSpace));
    let delete = DeleteRangeRequest { key: "b".into(), ..DeleteRangeRequest::default() };
    assert_eq!(world.store.delete_range(delete).await.unwrap().deleted, 1);
    assert_eq!(world.store.put(put("a", "x")).await, Err(Error::NoSpace));
    world.store.end_alarm().await.unwrap();
    assert!(world.store.put(put("a", "x")).await.is_ok());
}

#[tokio::test]
async fn defragmentation_keeps_records_and_gives_space_back() {
    let world = World::new().await;
    let large: &'static str = "x".repeat(1 << 20).leak();
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        world.put(key, large).await;
    }
    let before = world.store.sizes();
    world
        .store
        .delete_range(DeleteRangeRequest { key: "b".into(), range_end: "z".into(), ..Default::default() })
        .await
        .unwrap();
    world.store.defragment().await.unwrap();
    let after = world.store.sizes();
    assert!(after.file < before.file / 2 && after.in_use < before.in_use / 2, "{before:?} {after:?}");
    assert_eq!(world.all().await.len(), 1);
    world.put("i", "1").await;
    assert_eq!(world.again().await.all().await.len(), 2);
}
