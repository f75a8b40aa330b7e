//! A state store inside the process: for tests and for trying things out.
mod entries;
mod pattern;

use async_trait::async_trait;
use component_api::state::{DeleteRequest, Features, GetRequest, Item, KeysPage, Operation, SetRequest, Store};
use component_api::{Descriptor, Error, Metadata, Registry, Result, Status, Task, metadata_value};
use entries::{Entries, Entry};
use jiff::Timestamp;
use pattern::Pattern;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// How often expired entries are removed that nobody has asked for.
const CLEANING: Duration = Duration::from_secs(1);

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["in-memory"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "State in the memory of one sidecar; nothing outlives it.",
        schema: || schemars::schema_for!(NoMetadata),
    };
    registry.state.add(descriptor, |_| async {
        let store: Arc<dyn Store> = Arc::new(InMemoryStore::new());
        Ok(store)
    });
}

/// There is nothing to set.
#[derive(schemars::JsonSchema)]
struct NoMetadata {}

/// Keeps entries in a map. All operations are atomic, and bulk operations and transactions see or change all of it at once
/// (components.md 1.1 and 4.1).
#[derive(Debug)]
pub struct InMemoryStore {
    entries: Arc<RwLock<Entries>>,
    cleaner: Mutex<Option<Task>>,
}

impl InMemoryStore {
    /// An empty store. It must be made within a tokio runtime.
    pub fn new() -> Self {
        let entries = Arc::new(RwLock::new(Entries::default()));
        let cleaner = Mutex::new(Some(cleaner(Arc::clone(&entries))));
        Self { entries, cleaner }
    }

    fn find(&self, key: &str, now: Timestamp) -> Option<Item> {
        let entries = read(&self.entries);
        let entry = entries.get(key)?;
        if !entry.is_expired(now) {
            return Some(item(entry));
        }
        drop(entries);
        write(&self.entries).remove_expired(key, now);
        None
    }
}

impl Default for InMemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Store for InMemoryStore {
    fn features(&self) -> Features {
        Features {
            etag: true,
            transactional: true,
            ttl: true,
            keys_like: true,
            delete_with_prefix: true,
            ..Features::default()
        }
    }

    async fn get(&self, request: GetRequest) -> Result<Option<Item>> {
        Ok(self.find(&request.key, Timestamp::now()))
    }

    async fn set(&self, request: SetRequest) -> Result<()> {
        set(&mut write(&self.entries), request, Timestamp::now())
    }

    async fn delete(&self, request: DeleteRequest) -> Result<()> {
        delete(&mut write(&self.entries), &request, Timestamp::now())
    }

    /// ETags are compared with what was there before the transaction, as in Dapr.
    async fn transact(&self, operations: Vec<Operation>, _: Metadata) -> Result<()> {
        let now = Timestamp::now();
        let mut entries = write(&self.entries);
        for operation in &operations {
            check(&entries, operation, now)?;
        }
        for operation in operations {
            match operation {
                Operation::Set(request) => {
                    let seconds = time_to_live(&request.metadata)?;
                    entries.set(request.key, request.value.bytes(), seconds, now);
                }
                Operation::Delete(request) => entries.remove(&request.key),
            }
        }
        Ok(())
    }

    async fn keys_like(&self, pattern: &str, page_size: Option<u32>, continuation: Option<String>) -> Result<KeysPage> {
        if pattern.is_empty() {
            return Err(Error::invalid("keys like pattern cannot be empty"));
        }
        let from = continuation.map_or(Ok(0), |token| token.parse());
        let from = from.map_err(|error| Error::invalid("invalid continue token").with_source(error))?;
        let page_size = page_size.and_then(|size| usize::try_from(size).ok());
        Ok(read(&self.entries).keys_like(&Pattern::new(pattern), from, page_size, Timestamp::now()))
    }

    /// Only keys directly below the prefix: those with a further `||` stay.
    async fn delete_with_prefix(&self, prefix: &str) -> Result<u64> {
        let prefix = prefix.strip_suffix("||").unwrap_or(prefix);
        if prefix.is_empty() {
            return Err(Error::invalid("a prefix is required for deleteWithPrefix request"));
        }
        Ok(write(&self.entries).delete_with_prefix(&format!("{prefix}||")))
    }

    async fn bulk_get(&self, requests: Vec<GetRequest>) -> Vec<Result<Option<Item>>> {
        let now = Timestamp::now();
        let entries = read(&self.entries);
        let get = |request: GetRequest| Ok(entries.get(&request.key).filter(|entry| !entry.is_expired(now)).map(item));
        requests.into_iter().map(get).collect()
    }

    async fn bulk_set(&self, requests: Vec<SetRequest>) -> Vec<Result<()>> {
        let now = Timestamp::now();
        let mut entries = write(&self.entries);
        requests.into_iter().map(|request| set(&mut entries, request, now)).collect()
    }

    async fn bulk_delete(&self, requests: Vec<DeleteRequest>) -> Vec<Result<()>> {
        let now = Timestamp::now();
        let mut entries = write(&self.entries);
        requests.iter().map(|request| delete(&mut entries, request, now)).collect()
    }

    async fn close(&self) -> Result<()> {
        let cleaner = self.cleaner.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(cleaner) = cleaner {
            cleaner.close().await;
        }
        *write(&self.entries) = Entries::default();
        Ok(())
    }
}

fn set(entries: &mut Entries, request: SetRequest, now: Timestamp) -> Result<()> {
    let seconds = time_to_live(&request.metadata)?;
    entries.check(&request.key, request.etag.as_ref(), request.concurrency, now)?;
    entries.set(request.key, request.value.bytes(), seconds, now);
    Ok(())
}

fn delete(entries: &mut Entries, request: &DeleteRequest, now: Timestamp) -> Result<()> {
    entries.check(&request.key, request.etag.as_ref(), request.concurrency, now)?;
    entries.remove(&request.key);
    Ok(())
}

fn check(entries: &Entries, operation: &Operation, now: Timestamp) -> Result<()> {
    match operation {
        Operation::Set(request) => {
            time_to_live(&request.metadata)?;
            entries.check(&request.key, request.etag.as_ref(), request.concurrency, now)
        }
        Operation::Delete(request) => entries.check(&request.key, request.etag.as_ref(), request.concurrency, now),
    }
}

/// Seconds that an entry shall live. Like Dapr's, this store takes any whole number, and what is not above zero is for ever.
fn time_to_live(metadata: &Metadata) -> Result<Option<u64>> {
    let Some(text) = metadata_value(metadata, "ttlInSeconds").filter(|text| !text.is_empty()) else { return Ok(None) };
    let refusal =
        |_| Error::invalid(format!("metadata 'ttlInSeconds' is '{text}', which is no whole number of seconds"));
    let seconds: i64 = text.parse().map_err(refusal)?;
    Ok(u64::try_from(seconds).ok().filter(|seconds| *seconds > 0))
}

fn item(entry: &Entry) -> Item {
    let expires = |time: Timestamp| ("ttlExpireTime".to_owned(), time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    Item {
        data: entry.data.clone(),
        etag: Some(entry.etag()),
        metadata: entry.expires.map(expires).into_iter().collect(),
    }
}

fn cleaner(entries: Arc<RwLock<Entries>>) -> Task {
    Task::spawn(|stopping| async move {
        while stopping.run_until_cancelled(tokio::time::sleep(CLEANING)).await.is_some() {
            let now = Timestamp::now();
            let due = read(&entries).has_expired(now);
            if due {
                write(&entries).clean(now);
            }
        }
    })
}

fn read(entries: &RwLock<Entries>) -> RwLockReadGuard<'_, Entries> {
    entries.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(entries: &RwLock<Entries>) -> RwLockWriteGuard<'_, Entries> {
    entries.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_whole_number_is_a_time_to_live() {
        let read = |text: &str| time_to_live(&Metadata::from([("ttlInSeconds".to_owned(), text.to_owned())])).ok();
        assert_eq!([read("2"), read("-2"), read("0"), read("")], [Some(Some(2)), Some(None), Some(None), Some(None)]);
        assert_eq!(read("9223372036854775807"), Some(Some(9_223_372_036_854_775_807)));
        assert_eq!([read("soon"), read("1.5")], [None, None]);
    }
}
