//! What every lock store must show (components.md 4.6).
#![allow(clippy::expect_used, clippy::panic)] // A trial that fails ends its test.
use crate::trial::trial;
use component_api::lock::{Store, Unlocked};
use futures_util::future::join_all;
use std::time::{Duration, Instant};
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_secs(1);
/// How long a short lock may be held; only a failing trial waits that long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs all trials over stores on one backend, which must be the same for each of them.
///
/// # Panics
/// When a store fails a trial, or there is none.
pub async fn run(stores: &[&dyn Store]) {
    let (first, last) = (stores[0], stores[stores.len() - 1]);
    trial("lock: lock", locks(first, last)).await;
    trial("lock: unlock", unlocks(first, last)).await;
    trial("lock: expiry", expires(first, last)).await;
    trial("lock: one of many", one_of_many(stores)).await;
}

async fn locks(first: &dyn Store, last: &dyn Store) {
    let (one, other) = (name(), name());
    assert!(lock(first, &one, "owner", LONG).await, "a free lock is taken");
    assert!(lock(last, &other, "owner", LONG).await, "another lock is free");
    assert!(!lock(last, &one, "other", LONG).await, "a lock that is held cannot be taken");
    assert!(!lock(first, &one, "owner", LONG).await, "not even by its owner");
}

async fn unlocks(first: &dyn Store, last: &dyn Store) {
    let one = name();
    assert_eq!(unlock(first, &one, "owner").await, Unlocked::NoLock);
    assert!(lock(first, &one, "owner", LONG).await);
    assert_eq!(unlock(last, &one, "other").await, Unlocked::OtherOwner);
    assert_eq!(unlock(last, &one, "owner").await, Unlocked::Success);
    assert_eq!(unlock(first, &one, "owner").await, Unlocked::NoLock, "it is gone");
    assert!(lock(last, &one, "other", LONG).await, "it is free again");
}

async fn expires(first: &dyn Store, last: &dyn Store) {
    let (one, other) = (name(), name());
    assert!(lock(first, &one, "owner", SHORT).await && lock(first, &other, "owner", SHORT).await);
    let start = Instant::now();
    while !lock(last, &one, "other", LONG).await {
        assert!(start.elapsed() < PATIENCE, "a lock expires");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(start.elapsed() > SHORT / 2, "but not at once");
    assert_eq!(unlock(first, &one, "owner").await, Unlocked::OtherOwner, "its first owner has lost it");
    while unlock(last, &other, "nobody").await != Unlocked::NoLock {
        assert!(start.elapsed() < PATIENCE, "what has expired is no lock");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn one_of_many(stores: &[&dyn Store]) {
    let one = name();
    let take = |number: usize| {
        let (store, one) = (stores[number % stores.len()], one.as_str());
        async move { lock(store, one, &number.to_string(), LONG).await }
    };
    let taken = join_all((0..50).map(take)).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken).count(), 1, "one of many gets the lock");
}

fn name() -> String {
    format!("lock||app||{}", Uuid::new_v4().simple())
}

async fn lock(store: &dyn Store, resource: &str, owner: &str, expiry: Duration) -> bool {
    store.try_lock(resource, owner, expiry).await.expect("try to lock")
}

async fn unlock(store: &dyn Store, resource: &str, owner: &str) -> Unlocked {
    store.unlock(resource, owner).await.expect("unlock")
}
