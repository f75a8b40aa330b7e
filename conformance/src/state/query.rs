//! The query API. The filters are those of Dapr's own suite.
use super::{Keys, json, set, text};
use component_api::state::{Operation, QueryResult, Store};
use component_api::{Kind, Metadata};
use serde_json::{Value, json};

/// Which index a store that needs one takes; those of the others say nothing of it.
fn metadata() -> Metadata {
    let pairs = [("queryIndexName", "qIndx"), ("contentType", "application/json")];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

async fn query(store: &dyn Store, document: Value) -> QueryResult {
    store.query(document, metadata()).await.expect("a query")
}

fn names(found: &QueryResult) -> Vec<&str> {
    found.items.iter().map(|(key, _)| key.as_str()).collect()
}

/// Entries with a word that no other run has: number, status and key of each.
async fn entries(store: &dyn Store, keys: &Keys, name: &str) -> (String, [String; 3]) {
    let word = keys.key(name).replace(|letter: char| !letter.is_ascii_alphanumeric(), "");
    let all = [("one", 9, "ACTIVE"), ("two", 12, "INACTIVE"), ("three", 15, "ACTIVE")];
    for (name, number, status) in all {
        let value = json!({"product": {"value": number}, "status": status, "message": word});
        let request = set(&format!("{word}-{name}"), json(&value.to_string()));
        store.set(super::SetRequest { metadata: metadata(), ..request }).await.expect("save an entry");
    }
    (word.clone(), all.map(|(name, ..)| format!("{word}-{name}")))
}

/// Each comparison, and what puts them together.
pub(super) async fn filters(store: &dyn Store, keys: &Keys) {
    let (word, [one, two, three]) = entries(store, keys, "query").await;
    let cases = [
        (json!({"GT": {"product.value": 9}}), vec![&two, &three]),
        (json!({"GTE": {"product.value": 9}}), vec![&one, &two, &three]),
        (json!({"LT": {"product.value": 12}}), vec![&one]),
        (json!({"LTE": {"product.value": 12}}), vec![&one, &two]),
        (json!({"GT": {"product.value": 11.1}}), vec![&two, &three]),
        (json!({"EQ": {"product.value": 15}}), vec![&three]),
        (json!({"EQ": {"status": "INACTIVE"}}), vec![&two]),
        (json!({"NEQ": {"status": "INACTIVE"}}), vec![&one, &three]),
        (json!({"IN": {"product.value": [9, 15, 99]}}), vec![&one, &three]),
        (json!({"IN": {"status": ["INACTIVE", "OTHER"]}}), vec![&two]),
        (json!({"OR": [{"LT": {"product.value": 10}}, {"EQ": {"status": "INACTIVE"}}]}), vec![&one, &two]),
        (json!({"AND": [{"GT": {"product.value": 9}}, {"EQ": {"status": "ACTIVE"}}]}), vec![&three]),
        (json!({"EQ": {"status": "none"}}), vec![]),
    ];
    for (filter, mut expected) in cases {
        let ours = json!({"filter": {"AND": [{"EQ": {"message": word}}, filter]}});
        let found = query(store, ours).await;
        let mut found: Vec<_> = names(&found).into_iter().map(str::to_owned).collect();
        found.sort();
        expected.sort();
        assert!(found.iter().eq(expected), "{filter}: {found:?}");
    }
    let wrong = store.query(json!({"filter": {"LIKE": {"a": "b"}}}), metadata()).await.expect_err("no such filter");
    assert_eq!(wrong.kind(), Kind::Invalid);
}

/// Entries come with value and ETag, in the order asked for, and page by page.
pub(super) async fn pages(store: &dyn Store, keys: &Keys) {
    let (word, [one, two, three]) = entries(store, keys, "query pages").await;
    let ours = json!({"EQ": {"message": word}});
    let sort = json!([{"key": "product.value", "order": "DESC"}]);
    let found = query(store, json!({"filter": ours, "sort": sort})).await;
    assert_eq!(names(&found), [&three, &two, &one]);
    assert_eq!(found.token, "", "there is one page");
    let value: Value = serde_json::from_slice(&found.items[0].1.data).expect("JSON");
    assert_eq!(value, json!({"product": {"value": 15}, "status": "ACTIVE", "message": word}));
    assert_eq!(found.items[0].1.etag, Some(super::etag_of(store, &three).await));
    let page = |token: String| json!({"filter": ours, "sort": sort, "page": {"limit": 2, "token": token}});
    let first = query(store, page(String::new())).await;
    assert_eq!(names(&first), [&three, &two]);
    let second = query(store, page(first.token)).await;
    assert_eq!(names(&second), [&one]);
}

/// A query sees what a write or a transaction wrote at once, and nothing that was deleted.
pub(super) async fn sees_writes(store: &dyn Store, keys: &Keys) {
    let (word, [one, two, three]) = entries(store, keys, "query writes").await;
    store.delete(super::delete(&two)).await.expect("delete");
    if store.features().transactional {
        let value = json(&json!({"message": word}).to_string());
        let written = super::SetRequest { metadata: metadata(), ..set(&format!("{word}-z"), value) };
        let operations = vec![Operation::Set(written), Operation::Delete(super::delete(&one))];
        store.transact(operations, Metadata::new()).await.expect("a transaction");
        assert!(text(store, &format!("{word}-z")).await.is_some());
    } else {
        store.delete(super::delete(&one)).await.expect("delete");
    }
    let found = query(store, json!({"filter": {"EQ": {"message": word}}})).await;
    let mut expected = vec![three];
    expected.extend(store.features().transactional.then(|| format!("{word}-z")));
    let mut found = names(&found);
    found.sort_unstable();
    assert!(found.iter().eq(&expected), "{found:?}");
}
