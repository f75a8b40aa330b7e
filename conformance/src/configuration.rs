//! What every configuration store must show (components.md 4.5).
#![allow(clippy::expect_used, clippy::panic)] // A trial that fails ends its test.
use crate::trial::trial;
use async_trait::async_trait;
use component_api::Metadata;
use component_api::configuration::{Item, Items, Notify, Store};
use component_api::pubsub::Subscription;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a change may take to be told; only a failing trial waits that long.
const PATIENCE: Duration = Duration::from_secs(30);
const KEYS: usize = 20;

/// Writes an item to the backend as its users do, or deletes it.
pub type Update = Box<dyn Fn(String, Option<Item>) -> BoxFuture<'static, ()> + Send + Sync>;

/// A store under test, with nothing in it.
pub struct Subject {
    pub store: Arc<dyn Store>,
    pub update: Update,
    /// Versions are those that were written; else the backend makes its own.
    pub versions: bool,
    /// A deletion is told with the item that was deleted, and not as an item without value and version.
    pub deletions_tell_the_item: bool,
}

/// Runs all trials.
///
/// # Panics
/// When the store fails one.
pub async fn run(subject: &Subject) {
    trial("configuration: get", get(subject)).await;
    trial("configuration: subscriptions", subscriptions(subject)).await;
    trial("configuration: unsubscribe", unsubscribe(subject)).await;
    trial("configuration: delete", deletes(subject)).await;
}

async fn get(subject: &Subject) {
    subject.write_all("1.0.0").await;
    let store = &subject.store;
    let wanted = [key(3), key(5), "unknown".to_owned()];
    let found = store.get(&wanted, &Metadata::new()).await.expect("get by keys");
    subject.same(&found, (3..=5).step_by(2).map(|number| (key(number), item(number, "1.0.0"))));
    let all = store.get(&[], &Metadata::new()).await.expect("get all");
    subject.same(&all, (0..KEYS).map(|number| (key(number), item(number, "1.0.0"))));
    let none = store.get(&["unknown".to_owned()], &Metadata::new()).await.expect("unknown keys are no error");
    assert!(none.is_empty(), "unknown keys are left out");
}

/// Each subscription hears of its own keys only.
async fn subscriptions(subject: &Subject) {
    let some: Vec<_> = (0..KEYS / 2).map(key).collect();
    let (some_seen, _some) = subject.subscribe(&some).await;
    let (all_seen, _all) = subject.subscribe(&[]).await;
    subject.write_all("2.0.0").await;
    let expected: Vec<_> = (0..KEYS).map(|number| (key(number), item(number, "2.0.0"))).collect();
    subject.expect(&all_seen, expected.iter().cloned()).await;
    subject.expect(&some_seen, expected.into_iter().take(KEYS / 2)).await;
    let added = ("added".to_owned(), item(77, "1.0.0"));
    subject.write(&added.0, Some(added.1.clone())).await;
    subject.expect(&all_seen, [added]).await;
    assert!(!some_seen.knows("added") && !some_seen.knows(&key(KEYS - 1)), "other keys are not told");
}

/// The others go on.
async fn unsubscribe(subject: &Subject) {
    let (gone_seen, gone) = subject.subscribe(&[]).await;
    let (seen, _kept) = subject.subscribe(&[]).await;
    drop(gone);
    subject.write_all("3.0.0").await;
    subject.expect(&seen, (0..KEYS).map(|number| (key(number), item(number, "3.0.0")))).await;
    assert!(!gone_seen.knows(&key(0)), "a subscription that was dropped tells nothing");
}

async fn deletes(subject: &Subject) {
    let (seen, _subscription) = subject.subscribe(&[key(1)]).await;
    let last = subject.store.get(&[key(1)], &Metadata::new()).await.expect("get").remove(&key(1));
    subject.write(&key(1), None).await;
    let told = last.filter(|_| subject.deletions_tell_the_item).unwrap_or_default();
    subject.expect(&seen, [(key(1), told)]).await;
    let found = subject.store.get(&[key(1)], &Metadata::new()).await.expect("get");
    assert!(found.is_empty(), "a deleted key is gone");
}

fn key(number: usize) -> String {
    format!("key {number}")
}

fn item(number: usize, version: &str) -> Item {
    Item { value: format!("{version} of {number}"), version: version.to_owned(), metadata: Metadata::new() }
}

/// The last item of each key that a subscription told of.
#[derive(Default)]
struct Seen {
    items: Mutex<BTreeMap<String, Item>>,
    changed: watch::Sender<()>,
}

impl Seen {
    fn knows(&self, key: &str) -> bool {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).contains_key(key)
    }

    fn item(&self, key: &str) -> Option<Item> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }
}

struct Inbox(Arc<Seen>);

#[async_trait]
impl Notify for Inbox {
    async fn changed(&self, items: Items) {
        self.0.items.lock().unwrap_or_else(PoisonError::into_inner).extend(items);
        self.0.changed.send_replace(());
    }
}

impl Subject {
    async fn subscribe(&self, keys: &[String]) -> (Arc<Seen>, Subscription) {
        let seen = Arc::<Seen>::default();
        let inbox = Arc::new(Inbox(Arc::clone(&seen)));
        let subscription = self.store.subscribe(keys.to_vec(), Metadata::new(), inbox).await.expect("subscribe");
        (seen, subscription)
    }

    async fn write(&self, key: &str, item: Option<Item>) {
        (self.update)(key.to_owned(), item).await;
    }

    async fn write_all(&self, version: &str) {
        for number in 0..KEYS {
            self.write(&key(number), Some(item(number, version))).await;
        }
    }

    /// Waits until the subscription has told of all of these.
    async fn expect(&self, seen: &Seen, items: impl IntoIterator<Item = (String, Item)>) {
        let mut changed = seen.changed.subscribe();
        for (key, item) in items {
            let expected = Some(self.shown(item));
            while seen.item(&key).map(|item| self.shown(item)) != expected {
                let told = timeout(PATIENCE, changed.changed()).await;
                assert!(told.is_ok(), "no word of {expected:?} for {key}, but {:?}", seen.item(&key));
            }
        }
    }

    fn same(&self, found: &Items, expected: impl Iterator<Item = (String, Item)>) {
        let shown = |(key, item): (String, Item)| (key, self.shown(item));
        let found: Items = found.clone().into_iter().map(shown).collect();
        assert_eq!(found, expected.map(shown).collect());
    }

    fn shown(&self, item: Item) -> Item {
        if self.versions { item } else { Item { version: String::new(), ..item } }
    }
}
