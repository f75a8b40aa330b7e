//! Optimistic concurrency.
use super::{Keys, delete_if, etag_of, find, get, json, save, set, set_if, text};
use component_api::Kind;
use component_api::state::{Concurrency, Consistency, DeleteRequest, Etag, SetRequest, Store};
use futures_util::future::join_all;

/// The etag of an earlier version has the right form and yet is wrong.
async fn outdated(store: &dyn Store, key: &str) -> Etag {
    save(store, key, "0").await;
    let etag = etag_of(store, key).await;
    assert!(!etag.0.is_empty(), "an etag is not empty");
    save(store, key, "1").await;
    etag
}

/// What an operation with a wrong etag was refused for.
fn refusal(result: component_api::Result<()>) -> Kind {
    result.expect_err("a wrong etag is refused").kind()
}

pub(super) async fn writes(store: &dyn Store, keys: &Keys) {
    let key = keys.key("etag");
    let old = outdated(store, &key).await;
    let current = etag_of(store, &key).await;
    assert_ne!(current, old, "a write changes the etag");
    assert_eq!(refusal(store.set(set_if(&key, json("2"), &old)).await), Kind::EtagMismatch);
    assert_eq!(refusal(store.delete(delete_if(&key, &old)).await), Kind::EtagMismatch);
    assert_eq!(text(store, &key).await.as_deref(), Some("1"), "a refused write changes nothing");
    assert_eq!(etag_of(store, &key).await, current, "and keeps the etag");
    store.set(set_if(&key, json("2"), &current)).await.expect("the right etag is taken");
    let next = etag_of(store, &key).await;
    assert_ne!(next, current, "the write changed the etag");
    store.set(set_if(&key, json("3"), &Etag(String::new()))).await.expect("an empty etag is none");
    store.delete(delete_if(&key, &etag_of(store, &key).await)).await.expect("the right etag deletes");
    assert_eq!(find(store, &key).await, None, "it is deleted");
    assert_eq!(refusal(store.set(set_if(&key, json("4"), &next)).await), Kind::EtagMismatch, "set of a missing entry");
    assert_eq!(refusal(store.delete(delete_if(&key, &next)).await), Kind::EtagMismatch, "delete of a missing entry");
    let bad = refusal(store.set(set_if(&keys.key("etag"), json("5"), &Etag("bad-etag".to_owned()))).await);
    assert!(matches!(bad, Kind::EtagMismatch | Kind::EtagInvalid), "an etag of another form: {bad:?}");
}

/// One wrong etag fails its own entry only.
pub(super) async fn bulk(store: &dyn Store, keys: &Keys) {
    let (first, second) = (keys.key("etag bulk 1"), keys.key("etag bulk 2"));
    let old = outdated(store, &first).await;
    save(store, &second, "1").await;
    let before = etag_of(store, &first).await;
    let current = etag_of(store, &second).await;
    let read = store.bulk_get(vec![get(&first), get(&second)]).await;
    let etags: Vec<_> = read.into_iter().map(|item| item.ok().flatten().and_then(|item| item.etag)).collect();
    assert_eq!(etags, [Some(before.clone()), Some(current.clone())], "bulk get tells the etags");
    let results = store.bulk_set(vec![set_if(&first, json("2"), &old), set_if(&second, json("2"), &current)]).await;
    assert_eq!(kinds(results), [Some(Kind::EtagMismatch), None], "bulk set");
    assert_eq!(etag_of(store, &first).await, before, "what failed keeps its etag");
    assert_eq!(text(store, &second).await.as_deref(), Some("2"), "what is right is written");
    let current = etag_of(store, &second).await;
    let results = store.bulk_delete(vec![delete_if(&first, &old), delete_if(&second, &current)]).await;
    assert_eq!(kinds(results), [Some(Kind::EtagMismatch), None], "bulk delete");
    assert_eq!(text(store, &first).await.as_deref(), Some("1"), "what failed stays");
    assert_eq!(find(store, &second).await, None, "what is right is deleted");
}

fn kinds(results: Vec<component_api::Result<()>>) -> Vec<Option<Kind>> {
    results.into_iter().map(|result| result.err().map(|error| error.kind())).collect()
}

pub(super) async fn first_write(store: &dyn Store, keys: &Keys) {
    for (name, none) in [("no etag", None), ("empty etag", Some(Etag(String::new())))] {
        let key = keys.key(&format!("first write with {name}"));
        let request = |text: &str| SetRequest { etag: none.clone(), ..first(&key, text) };
        store.set(request("1")).await.expect("the first write of a new key");
        assert_eq!(refusal(store.set(request("2")).await), Kind::EtagMismatch, "{name}: the second write");
        let etag = etag_of(store, &key).await;
        store.set(SetRequest { etag: Some(etag.clone()), ..request("3") }).await.expect("with the right etag");
        let outdated = SetRequest { etag: Some(etag), ..request("4") };
        assert_eq!(refusal(store.set(outdated).await), Kind::EtagMismatch, "{name}: the old etag");
        assert_eq!(text(store, &key).await.as_deref(), Some("3"));
        store.delete(DeleteRequest { key: key.clone(), ..DeleteRequest::default() }).await.expect("delete");
        store.set(request("5")).await.expect("the first write after a delete");
    }
}

/// Of many first writers exactly one wins.
pub(super) async fn one_first_writer(store: &dyn Store, keys: &Keys) {
    let key = keys.key("first of many");
    let results = join_all((0..20).map(|number: usize| store.set(first(&key, &number.to_string())))).await;
    let winners: Vec<_> = (0..20).filter(|number: &usize| results[*number].is_ok()).collect();
    assert_eq!(winners.len(), 1, "one writer wins");
    assert_eq!(text(store, &key).await, Some(winners[0].to_string()), "and what it wrote is read");
}

fn first(key: &str, text: &str) -> SetRequest {
    let (concurrency, consistency) = (Concurrency::FirstWrite, Consistency::Strong);
    SetRequest { concurrency, consistency, ..set(key, json(text)) }
}
