//! What every state store must show (components.md 4.1). A feature that is not listed must really be absent.
#![allow(clippy::expect_used, clippy::panic)] // A trial that fails ends its test.
mod basics;
mod etags;
mod expiry;
mod listing;
mod query;
mod transactions;

use crate::trial::trial;
use bytes::Bytes;
use component_api::Metadata;
use component_api::state::{Concurrency, Consistency, DeleteRequest, Etag, GetRequest, Item, SetRequest, Store, Value};

/// Runs all trials that fit the store, and prints their names.
///
/// All keys are new ones, so that a store with other entries can be used.
///
/// # Panics
/// When the store fails a trial; the last name printed is that trial's.
pub async fn run(store: &dyn Store) {
    run_with(store, Keys::default()).await;
}

/// The same for a store whose keys can only have letters, digits, dashes and dots.
///
/// # Panics
/// When the store fails a trial; the last name printed is that trial's.
pub async fn run_with_plain_keys(store: &dyn Store) {
    run_with(store, Keys { is_plain: true, ..Keys::default() }).await;
}

async fn run_with(store: &dyn Store, keys: Keys) {
    trial("state: values come back", basics::values(store, &keys)).await;
    trial("state: delete", basics::deletes(store, &keys)).await;
    trial("state: bulk", basics::bulk(store, &keys)).await;
    trial("state: many writers", basics::many_writers(store, &keys)).await;
    with_features(store, &keys).await;
}

async fn with_features(store: &dyn Store, keys: &Keys) {
    let features = store.features();
    if features.etag {
        trial("state: etags", etags::writes(store, keys)).await;
        trial("state: etags in bulk", etags::bulk(store, keys)).await;
        trial("state: first write", etags::first_write(store, keys)).await;
        trial("state: one first writer", etags::one_first_writer(store, keys)).await;
    }
    if features.transactional {
        trial("state: transactions", transactions::applies(store, keys)).await;
        trial("state: order in transactions", transactions::order(store, keys)).await;
        if features.etag {
            trial("state: all or nothing", transactions::all_or_nothing(store, keys)).await;
        }
    } else {
        trial("state: transactions are absent", transactions::absent(store)).await;
    }
    if features.ttl {
        trial("state: expiry", expiry::expires(store, keys)).await;
        trial("state: expiry time", expiry::time_is_told(store, keys)).await;
    } else {
        trial("state: expiry is absent", expiry::absent(store, keys)).await;
    }
    with_listing(store, keys).await;
}

async fn with_listing(store: &dyn Store, keys: &Keys) {
    let features = store.features();
    if features.keys_like {
        trial("state: keys like", listing::patterns(store, keys)).await;
        trial("state: pages of keys", listing::pages(store, keys)).await;
    } else {
        trial("state: keys like is absent", listing::keys_like_absent(store)).await;
    }
    if features.delete_with_prefix {
        trial("state: delete with prefix", listing::delete_with_prefix(store, keys)).await;
    } else {
        trial("state: delete with prefix is absent", listing::delete_with_prefix_absent(store)).await;
    }
    if features.query {
        trial("state: query", query::filters(store, keys)).await;
        trial("state: pages of a query", query::pages(store, keys)).await;
        trial("state: a query sees writes", query::sees_writes(store, keys)).await;
    } else {
        trial("state: query is absent", listing::query_absent(store)).await;
    }
}

/// Makes keys that no other run has.
struct Keys {
    run: String,
    is_plain: bool,
}

impl Default for Keys {
    fn default() -> Self {
        Self { run: uuid::Uuid::new_v4().simple().to_string(), is_plain: false }
    }
}

impl Keys {
    fn key(&self, name: &str) -> String {
        let key = format!("{}-{name}", self.run);
        if self.is_plain { key.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-") } else { key }
    }
}

/// A value of that JSON text.
pub fn json(text: &str) -> Value {
    Value::Json(Bytes::copy_from_slice(text.as_bytes()))
}

/// A write of nothing but a value.
pub fn set(key: &str, value: Value) -> SetRequest {
    SetRequest {
        key: key.to_owned(),
        value,
        etag: None,
        concurrency: Concurrency::Unspecified,
        consistency: Consistency::Unspecified,
        metadata: Metadata::new(),
    }
}

fn set_if(key: &str, value: Value, etag: &Etag) -> SetRequest {
    SetRequest { etag: Some(etag.clone()), ..set(key, value) }
}

/// A read of nothing but a key.
pub fn get(key: &str) -> GetRequest {
    GetRequest { key: key.to_owned(), ..GetRequest::default() }
}

fn delete(key: &str) -> DeleteRequest {
    DeleteRequest { key: key.to_owned(), ..DeleteRequest::default() }
}

fn delete_if(key: &str, etag: &Etag) -> DeleteRequest {
    DeleteRequest { etag: Some(etag.clone()), ..delete(key) }
}

async fn save(store: &dyn Store, key: &str, text: &str) {
    store.set(set(key, json(text))).await.expect("save an entry");
}

async fn find(store: &dyn Store, key: &str) -> Option<Item> {
    store.get(get(key)).await.expect("read an entry")
}

async fn etag_of(store: &dyn Store, key: &str) -> Etag {
    find(store, key).await.expect("an entry").etag.expect("an etag")
}

/// The text of an entry, or nothing where there is no entry.
async fn text(store: &dyn Store, key: &str) -> Option<String> {
    find(store, key).await.map(|item| String::from_utf8_lossy(&item.data).into_owned())
}
