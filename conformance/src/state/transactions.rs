//! Several operations at once.
use super::{Keys, delete, etag_of, find, json, save, set, set_if, text};
use component_api::state::{Operation, Store};
use component_api::{Kind, Metadata};

async fn transact(store: &dyn Store, operations: Vec<Operation>) {
    store.transact(operations, Metadata::new()).await.expect("a transaction");
}

fn write(key: &str, text: &str) -> Operation {
    Operation::Set(set(key, json(text)))
}

fn remove(key: &str) -> Operation {
    Operation::Delete(delete(key))
}

pub(super) async fn applies(store: &dyn Store, keys: &Keys) {
    let [one, two, three] = ["t1", "t2", "t3"].map(|name| keys.key(name));
    transact(store, vec![write(&one, "1"), write(&two, "2"), remove(&three)]).await;
    assert_eq!([text(store, &one).await, text(store, &two).await], [Some("1".to_owned()), Some("2".to_owned())]);
    transact(store, vec![remove(&one), write(&two, "3"), write(&three, "4")]).await;
    assert_eq!(find(store, &one).await, None, "deleted in a transaction");
    assert_eq!([text(store, &two).await, text(store, &three).await], [Some("3".to_owned()), Some("4".to_owned())]);
    transact(store, vec![write(&one, "5")]).await;
    transact(store, Vec::new()).await;
    assert_eq!(text(store, &one).await.as_deref(), Some("5"), "a transaction of one");
}

pub(super) async fn order(store: &dyn Store, keys: &Keys) {
    let [one, two, three] = ["o1", "o2", "o3"].map(|name| keys.key(name));
    save(store, &one, "1").await;
    transact(store, vec![remove(&one), write(&two, "2"), remove(&two), write(&three, "3"), write(&three, "4")]).await;
    let left = [text(store, &one).await, text(store, &two).await, text(store, &three).await];
    assert_eq!(left, [None, None, Some("4".to_owned())], "operations apply in their order");
}

pub(super) async fn all_or_nothing(store: &dyn Store, keys: &Keys) {
    let [guarded, other, deleted] = ["a1", "a2", "a3"].map(|name| keys.key(name));
    for key in [&guarded, &other, &deleted] {
        save(store, key, "0").await;
    }
    let old = etag_of(store, &guarded).await;
    save(store, &guarded, "1").await;
    let before = etag_of(store, &other).await;
    let failing = |etag| vec![write(&other, "2"), remove(&deleted), Operation::Set(set_if(&guarded, json("2"), etag))];
    let error = store.transact(failing(&old), Metadata::new()).await.expect_err("a wrong etag fails it");
    assert_eq!(error.kind(), Kind::EtagMismatch);
    let left = [text(store, &guarded).await, text(store, &other).await, text(store, &deleted).await];
    assert_eq!(left, ["1", "0", "0"].map(|text| Some(text.to_owned())), "a failed transaction changes nothing");
    assert_eq!(etag_of(store, &other).await, before, "and keeps the etags");
    let current = etag_of(store, &guarded).await;
    transact(store, failing(&current)).await;
    assert_eq!([text(store, &other).await, text(store, &deleted).await], [Some("2".to_owned()), None]);
}

pub(super) async fn absent(store: &dyn Store) {
    let error = store.transact(vec![remove("none")], Metadata::new()).await.expect_err("no transactions");
    assert_eq!(error.kind(), Kind::Unsupported);
}
