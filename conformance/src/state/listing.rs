//! Listing keys and deleting by prefix.
use super::{Keys, find, save};
use component_api::Kind;
use component_api::state::Store;
use std::collections::BTreeSet;

async fn list(store: &dyn Store, pattern: &str) -> BTreeSet<String> {
    let page = store.keys_like(pattern, None, None).await.expect("list keys");
    assert_eq!(page.continuation, None, "without a page size there is one page");
    page.keys.into_iter().collect()
}

pub(super) async fn patterns(store: &dyn Store, keys: &Keys) {
    let error = store.keys_like("", None, None).await.expect_err("an empty pattern");
    assert_eq!(error.kind(), Kind::Invalid);
    let all = ["like-a", "like-b", "like-ab", "100%", "100x", "a_b", "axb"].map(|name| keys.key(name));
    for key in &all {
        save(store, key, "null").await;
    }
    let cases: [(&str, &[usize]); 7] = [
        ("like-%", &[0, 1, 2]),
        ("like-_", &[0, 1]),
        ("like-a%", &[0, 2]),
        (r"100\%", &[3]),
        (r"a\_b", &[5]),
        ("a_b", &[5, 6]),
        ("none%", &[]),
    ];
    for (pattern, expected) in cases {
        let expected = expected.iter().map(|index| all[*index].clone()).collect();
        assert_eq!(list(store, &keys.key(pattern)).await, expected, "pattern {pattern}");
    }
}

pub(super) async fn pages(store: &dyn Store, keys: &Keys) {
    let pattern = keys.key("page-%");
    let all: Vec<String> = (0..12).map(|number| keys.key(&format!("page-{number}"))).collect();
    for key in &all {
        save(store, key, "1").await;
    }
    let mut seen = BTreeSet::new();
    let mut token = None;
    for (size, count) in [(6, 6), (5, 5), (4, 1)] {
        let page = store.keys_like(&pattern, Some(size), token.take()).await.expect("a page");
        assert_eq!(page.keys.len(), count, "keys of a page of {size}");
        seen.extend(page.keys);
        token = page.continuation;
    }
    assert_eq!((seen.len(), token), (12, None), "all keys once, and no token at the end");
    let first = store.keys_like(&pattern, Some(4), None).await.expect("a page");
    let token = first.continuation.expect("there is more");
    store.delete(super::delete(&first.keys[0])).await.expect("delete a listed key");
    save(store, &keys.key("page-new"), "1").await;
    for size in [20, 8] {
        let rest = store.keys_like(&pattern, Some(size), Some(token.clone())).await.expect("a page").keys;
        let missing = all.iter().filter(|key| !first.keys.contains(key) && !rest.contains(key)).count();
        assert_eq!(missing, 0, "writes between pages hide no key, and a token can be used again");
    }
    many(store, keys).await;
}

async fn many(store: &dyn Store, keys: &Keys) {
    let sets = (0..1025).map(|number| super::set(&keys.key(&format!("many-{number}")), super::json("1")));
    store.bulk_set(sets.collect()).await;
    assert_eq!(list(store, &keys.key("many-%")).await.len(), 1025, "more keys than any default page");
}

pub(super) async fn delete_with_prefix(store: &dyn Store, keys: &Keys) {
    let names = ["prefix||1", "prefix||2", "prefix||other||3", "other-prefix||4", "prefix"];
    for prefix in [keys.key("prefix"), keys.key("prefix||")] {
        for name in names {
            save(store, &keys.key(name), "1").await;
        }
        assert_eq!(store.delete_with_prefix(&prefix).await.expect("delete with prefix"), 2);
        for (index, name) in names.into_iter().enumerate() {
            assert_eq!(find(store, &keys.key(name)).await.is_some(), index > 1, "{name}");
        }
    }
    for none in ["", "||"] {
        let error = store.delete_with_prefix(none).await.expect_err("no prefix");
        assert!(error.to_string().contains("prefix is required"), "{error}");
    }
}

pub(super) async fn delete_with_prefix_absent(store: &dyn Store) {
    let error = store.delete_with_prefix("prefix").await.expect_err("no delete with prefix");
    assert_eq!(error.kind(), Kind::Unsupported);
}

pub(super) async fn keys_like_absent(store: &dyn Store) {
    let error = store.keys_like("%", None, None).await.expect_err("no keys like");
    assert_eq!(error.kind(), Kind::Unsupported);
}

pub(super) async fn query_absent(store: &dyn Store) {
    let error = store.query(serde_json::json!({}), super::Metadata::new()).await.expect_err("no query");
    assert_eq!(error.kind(), Kind::Unsupported);
}
