//! Reading, writing and deleting, one by one and in bulk.
use super::{Keys, delete, find, get, json, save, set, text};
use bytes::Bytes;
use component_api::state::{Item, Store, Value};
use futures_util::future::join_all;

/// JSON comes back as the text it was, bytes verbatim.
pub(super) async fn values(store: &dyn Store, keys: &Keys) {
    let nested = r#"{"product":{"value":42.5,"tags":["a","ü"]},"status":"ACTIVE"}"#;
    for (number, value) in ["30", "true", "1.5", "null", r#""hello""#, r#""""#, "[1,2]", nested].into_iter().enumerate()
    {
        let key = keys.key(&format!("json {number}"));
        save(store, &key, value).await;
        assert!(same_json(text(store, &key).await, value), "JSON text comes back");
    }
    let all: Vec<u8> = (0..=255).collect();
    for bytes in [vec![1], b"plain".to_vec(), br#"{"a": 1}"#.to_vec(), all] {
        let key = keys.key(&format!("binary {}", bytes.len()));
        store.set(set(&key, Value::Binary(bytes.clone().into()))).await.expect("save bytes");
        assert_eq!(find(store, &key).await.expect("an entry").data, bytes, "bytes come back verbatim");
    }
    let key = keys.key("unusual ü/%\\_'\"; key");
    save(store, &key, "1").await;
    save(store, &key, "2").await;
    assert_eq!(text(store, &key).await.as_deref(), Some("2"), "the last write is read, whatever the key");
}

/// Databases with a type for JSON do not keep white space and the order of names.
fn same_json(got: Option<String>, expected: &str) -> bool {
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    got.is_some_and(|got| parsed(&got) == parsed(expected))
}

pub(super) async fn deletes(store: &dyn Store, keys: &Keys) {
    let (gone, kept) = (keys.key("deleted"), keys.key("kept"));
    save(store, &gone, "1").await;
    save(store, &kept, "2").await;
    store.delete(delete(&gone)).await.expect("delete");
    assert_eq!(find(store, &gone).await, None, "a deleted entry is gone");
    store.delete(delete(&gone)).await.expect("deleting what is not there is no error");
    assert_eq!(text(store, &kept).await.as_deref(), Some("2"), "other entries stay");
}

/// The answers are in the order of the requests, with nothing for what is not there.
pub(super) async fn bulk(store: &dyn Store, keys: &Keys) {
    let all: Vec<String> = (0..20).map(|number| keys.key(&format!("bulk {number}"))).collect();
    let sets = all.iter().enumerate().map(|(number, key)| set(key, json(&number.to_string())));
    let results = store.bulk_set(sets.collect()).await;
    assert!(results.len() == all.len() && results.iter().all(Result::is_ok), "bulk set: {results:?}");
    let missing = keys.key("bulk none");
    let asked = all.iter().rev().chain([&missing, &all[0]]);
    let got: Vec<Option<Bytes>> =
        store.bulk_get(asked.map(|key| get(key)).collect()).await.into_iter().map(data).collect();
    let expected = (0..20).rev().map(|number| Some(number.to_string().into())).chain([None, Some("0".into())]);
    assert_eq!(got, expected.collect::<Vec<Option<Bytes>>>(), "bulk get answers in order");
    let deletes = all.iter().chain([&missing]).map(|key| delete(key));
    let results = store.bulk_delete(deletes.collect()).await;
    assert!(results.len() == all.len() + 1 && results.iter().all(Result::is_ok), "bulk delete: {results:?}");
    assert_eq!(find(store, &all[3]).await, None, "bulk delete deletes");
    assert!(store.bulk_get(Vec::new()).await.is_empty() && store.bulk_set(Vec::new()).await.is_empty());
}

fn data(result: component_api::Result<Option<Item>>) -> Option<Bytes> {
    result.expect("no error in bulk get").map(|item| item.data)
}

/// No write is lost or mixed up when many come at once.
pub(super) async fn many_writers(store: &dyn Store, keys: &Keys) {
    let write = |number: usize| async move {
        let key = keys.key(&format!("writer {number}"));
        save(store, &key, &number.to_string()).await;
        text(store, &key).await
    };
    let read = join_all((0..200).map(write)).await;
    let expected: Vec<_> = (0..200).map(|number: usize| Some(number.to_string())).collect();
    assert_eq!(read, expected, "each writer reads what it wrote");
}
