//! Entries that expire.
use super::{Keys, find, get, json, save, set, text};
use component_api::Metadata;
use component_api::state::{Operation, SetRequest, Store};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const NAME: &str = "ttlExpireTime";

/// How long an entry of one second may stay; only a failing trial waits that long.
const PATIENCE: Duration = Duration::from_secs(30);

fn lasting(key: &str, text: &str, seconds: &str) -> SetRequest {
    let metadata = Metadata::from([("ttlInSeconds".to_owned(), seconds.to_owned())]);
    SetRequest { metadata, ..set(key, json(text)) }
}

async fn gone(store: &dyn Store, key: &str) {
    let start = Instant::now();
    while find(store, key).await.is_some() {
        assert!(start.elapsed() < PATIENCE, "the entry expires");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn expires(store: &dyn Store, keys: &Keys) {
    store.set(lasting(&keys.key("bad ttl"), "1", "foo")).await.expect_err("a ttl that is no number");
    let [short, kept, reset, unset] = ["short", "kept", "reset", "unset"].map(|name| keys.key(name));
    for key in [&short, &reset, &unset] {
        store.set(lasting(key, "1", "2")).await.expect("an entry with a ttl");
        assert_eq!(text(store, key).await.as_deref(), Some("1"), "it can be read at once");
    }
    store.set(lasting(&kept, "1", "600")).await.expect("an entry that lasts");
    store.set(lasting(&reset, "2", "-1")).await.expect("-1 removes the expiry");
    save(store, &unset, "2").await;
    gone(store, &short).await;
    for key in [&reset, &unset] {
        let item = find(store, key).await.expect("it outlives its old expiry");
        assert!(!item.metadata.contains_key(NAME), "it has no expiry any more");
    }
    assert_eq!(text(store, &kept).await.as_deref(), Some("1"));
    assert!(matches!(&store.bulk_get(vec![get(&short)]).await[..], [Ok(None)]), "bulk get does not see it either");
    if store.features().keys_like {
        let listed = store.keys_like(&format!("%{short}"), None, None).await.expect("list keys").keys;
        assert!(listed.is_empty(), "an expired key is not listed");
    }
}

pub(super) async fn time_is_told(store: &dyn Store, keys: &Keys) {
    let (single, other) = (keys.key("told"), keys.key("told in transaction"));
    store.set(lasting(&single, "1", "3600")).await.expect("an entry with a ttl");
    if store.features().transactional {
        let operation = Operation::Set(lasting(&other, "1", "3600"));
        store.transact(vec![operation], Metadata::new()).await.expect("a transaction with a ttl");
        in_an_hour(&find(store, &other).await.expect("an entry").metadata);
    }
    in_an_hour(&find(store, &single).await.expect("an entry").metadata);
    let mut items = store.bulk_get(vec![get(&single)]).await;
    in_an_hour(&items.remove(0).expect("bulk get").expect("an entry").metadata);
}

/// RFC 3339 in UTC, ten minutes more or less.
fn in_an_hour(metadata: &Metadata) {
    let told = metadata.get(NAME).expect("the expiry time");
    let told: jiff::Timestamp = told.parse().expect("RFC 3339");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let ahead = told.as_second() - i64::try_from(now).expect("a time");
    assert!((3000..=4200).contains(&ahead), "expiry in {ahead} seconds instead of 3600");
}

pub(super) async fn absent(store: &dyn Store, keys: &Keys) {
    let key = keys.key("no ttl");
    save(store, &key, "1").await;
    assert!(!find(store, &key).await.expect("an entry").metadata.contains_key(NAME));
}
