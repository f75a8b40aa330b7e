//! Many records, read while others are written.
use super::over_grpc::served;
use super::{World, operation, prefix};
use crate::{Client, Pair, Pairs};
use wire::etcd::etcdserverpb::request_op::Request;
use wire::etcd::etcdserverpb::response_op::Response;
use wire::etcd::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest, TxnRequest};

fn put(key: String, length: usize) -> Request {
    Request::RequestPut(PutRequest { key: key.into(), value: vec![7; length].into(), ..PutRequest::default() })
}

fn delete(key: &'static str) -> DeleteRangeRequest {
    DeleteRangeRequest { key: key.into(), ..DeleteRangeRequest::default() }
}

impl World {
    /// Writes `a/0000` and so on; each third one has a partner `b/0000`, and there is one more of these.
    async fn fill(&self, count: usize, length: usize) {
        for number in 0..count {
            let partner = number.is_multiple_of(3).then(|| put(format!("b/{number:04}"), 3));
            let lonely = (number == 1).then(|| put("b/0000x".to_owned(), 3));
            let all = partner.into_iter().chain(lonely).chain([put(format!("a/{number:04}"), length)]);
            let request = TxnRequest { success: all.map(operation).collect(), ..TxnRequest::default() };
            self.store.txn(request).await.unwrap();
        }
    }
}

fn is_whole(pair: &Pair) -> bool {
    let number: usize = pair.name.parse().unwrap();
    let other = pair.other.as_ref().map(|kv| String::from_utf8_lossy(&kv.key).into_owned());
    other == number.is_multiple_of(3).then(|| format!("b/{}", pair.name))
}

#[tokio::test]
async fn pages_need_no_past_and_stay_small() {
    const RECORDS: usize = 120;
    let world = World::with(|settings| settings.history_bytes = 1).await;
    let (remote, _) = served(&world).await;
    world.fill(RECORDS, 40_000).await;
    for client in [Client::Embedded(world.store.clone()), remote] {
        let page = client.page(RangeRequest { limit: 1000, ..prefix("a/") }).await.unwrap();
        assert!(page.more && page.kvs.len() == 27, "{} records are a mebibyte", page.kvs.len());
        let (mut pairs, mut names) = (Pairs::new(client, ["a/", "b/"], ""), Vec::new());
        while let Some(pair) = pairs.next().await.unwrap() {
            assert!(is_whole(&pair), "{}", pair.name);
            names.push(pair.name);
            // All that was before is forgotten.
            world.put("c", "1").await;
            world.store.compact(world.store.now().revision).await.unwrap();
        }
        assert_eq!(names, (0..RECORDS).map(|number| format!("{number:04}")).collect::<Vec<_>>());
        assert!(pairs.revision() > 0 && pairs.revision() < world.store.now().revision);
    }
}

#[tokio::test]
async fn a_limit_does_not_change_the_count_at_any_time() {
    let world = World::new().await;
    world.fill(9, 1).await;
    let revision = world.store.now().revision;
    world.store.delete_range(delete("a/0004")).await.unwrap();
    world.put("a/0001x", "1").await;
    world.put("a/0007", "1").await;
    world.store.delete_range(delete("a/0008")).await.unwrap();
    for (at, count) in [(0, 8), (revision, 9)] {
        for limit in [1, 2, 5, 7, 8, 9, 0] {
            let found = world.store.range(RangeRequest { limit, revision: at, ..prefix("a/") }).await.unwrap();
            assert_eq!((found.count, found.more), (count, limit > 0 && limit < count), "{limit} at {at}");
        }
        let counted = RangeRequest { count_only: true, revision: at, ..prefix("a/") };
        assert_eq!(world.store.range(counted).await.unwrap().count, count);
    }
    let changed = RangeRequest { limit: 1, min_mod_revision: revision + 1, ..prefix("a/") };
    assert_eq!(world.store.range(changed).await.unwrap().count, 2);
    let single = RangeRequest { key: "a/0007".into(), count_only: true, revision, ..RangeRequest::default() };
    assert_eq!(world.store.range(single).await.unwrap().count, 1);
}

#[tokio::test]
async fn a_transaction_may_have_a_large_answer() {
    let world = World::new().await;
    let (client, _) = served(&world).await;
    world.fill(6, 1 << 20).await;
    client.range(prefix("none")).await.unwrap();
    let read = operation(Request::RequestRange(prefix("a/")));
    let done = client.txn(TxnRequest { success: vec![read], ..TxnRequest::default() }).await.unwrap();
    let Some(Response::ResponseRange(range)) = &done.responses[0].response else { panic!("a range") };
    assert_eq!(range.kvs.len(), 6);
}
