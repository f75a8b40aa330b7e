//! Random requests: the store answers as a map that remembers everything would.
use super::{PATIENCE, settings};
use crate::{Store, prefix_end};
use foundation_drain::Drain;
use proptest::prelude::*;
use std::collections::BTreeMap;
use wire::etcd::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest};

#[derive(Clone, Debug)]
enum Step {
    Put(u8, u8),
    Delete(u8),
    DeletePrefix(u8),
    Restart,
}

type Records = BTreeMap<String, u8>;

fn key(number: u8) -> String {
    format!("{}/{}", number / 4, number % 4)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..12u8, any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)),
        2 => (0..12u8).prop_map(Step::Delete),
        1 => (0..3u8).prop_map(Step::DeletePrefix),
        1 => Just(Step::Restart),
    ]
}

/// What is there at each revision since the last start.
struct Model {
    past: Vec<(i64, Records)>,
}

impl Model {
    fn now(&self) -> (i64, Records) {
        self.past.last().cloned().unwrap()
    }

    fn change(&mut self, change: impl FnOnce(&mut Records)) {
        let (revision, mut after) = self.now();
        change(&mut after);
        self.past.push((revision + 1, after));
    }
}

async fn records(store: &Store, revision: i64) -> Records {
    let request = RangeRequest { key: vec![0].into(), range_end: vec![0].into(), revision, ..RangeRequest::default() };
    let found = store.range(request).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    found.kvs.iter().map(|kv| (text(&kv.key), kv.value[0])).collect()
}

async fn delete(store: &Store, key: String, range_end: bytes::Bytes) -> i64 {
    let request = DeleteRangeRequest { key: key.into(), range_end, ..DeleteRangeRequest::default() };
    store.delete_range(request).await.unwrap().deleted
}

async fn run(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let mut drain = Drain::new();
    let mut store = Store::open(settings(folder.path()), &drain).await.unwrap();
    let mut model = Model { past: vec![(1, Records::new())] };
    for step in steps {
        match step {
            Step::Put(number, value) => {
                let request =
                    PutRequest { key: key(number).into(), value: vec![value].into(), ..PutRequest::default() };
                store.put(request).await.unwrap();
                model.change(|records| {
                    records.insert(key(number), value);
                });
            }
            Step::Delete(number) => {
                if delete(&store, key(number), bytes::Bytes::new()).await > 0 {
                    model.change(|records| {
                        records.remove(&key(number));
                    });
                }
            }
            Step::DeletePrefix(number) => {
                let prefix = format!("{number}/");
                if delete(&store, prefix.clone(), prefix_end(prefix.as_bytes())).await > 0 {
                    model.change(|records| records.retain(|key, _| !key.starts_with(&prefix)));
                }
            }
            Step::Restart => {
                drop(store);
                assert!(drain.close(PATIENCE).await);
                drain = Drain::new();
                store = loop {
                    if let Ok(store) = Store::open(settings(folder.path()), &drain).await {
                        break store;
                    }
                    tokio::task::yield_now().await;
                };
                model.past = vec![model.now()];
            }
        }
    }
    assert_eq!(store.now().revision, model.now().0);
    for (revision, expected) in &model.past {
        assert_eq!(&records(&store, *revision).await, expected, "at {revision}");
    }
    let size = model.now().1.keys().map(|key| 64 + key.len() as u64 + 1).sum::<u64>();
    assert_eq!(store.sizes().in_use, size);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn the_store_answers_as_a_map_does(steps in proptest::collection::vec(step(), 1..40)) {
        tokio::runtime::Runtime::new().unwrap().block_on(run(steps));
    }
}
