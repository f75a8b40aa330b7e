//! `state.mysql`: rows of JSON with a UUID as ETag (components.md 1.1).
mod cleaning;
mod metadata;
mod rows;

pub use metadata::Metadata;

use crate::data_source::target;
use crate::database::{Database, Limits, Schema, Settings};
use async_trait::async_trait;
use cleaning::Cleaning;
use component_api::state::{DeleteRequest, Features, GetRequest, Item, KeysPage, Operation, SetRequest, Store};
use component_api::{Descriptor, Error, Metadata as Pairs, Registry, Result, Status, Task};
use rows::{Change, Rows, item};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most connections at the same time.
const CONNECTIONS: usize = 16;
/// How many entries are read by one statement.
const BULK: usize = 500;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["mysql"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "State in MySQL and MariaDB.",
        schema: || schemars::schema_for!(Metadata),
    };
    registry.state.add(descriptor, |config| async move {
        let store: Arc<dyn Store> = Arc::new(MysqlStore::new(Metadata::read(&config.properties)?)?);
        Ok(store)
    });
}

/// The store. It connects when it is first used.
#[derive(Debug)]
pub struct MysqlStore {
    database: Arc<Database>,
    rows: Rows,
    cleaner: Mutex<Option<Task>>,
}

impl MysqlStore {
    /// Prepares the store; nothing is connected yet. It must be made within a tokio runtime.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new(metadata: Metadata) -> Result<Self> {
        let rows = Rows::new(&metadata.table_name);
        let cleaning = Cleaning {
            metadata_table: metadata.metadata_table_name.clone(),
            delete: rows.cleanup.clone(),
            interval: metadata.cleanup_interval.0,
        };
        let schema = Schema {
            database: metadata.schema_name,
            table: metadata.table_name,
            metadata_table: metadata.metadata_table_name,
        };
        let limits = Limits::default();
        let settings = Settings { timeout: metadata.timeout_in_seconds.0, most: CONNECTIONS, limits };
        let target = target(metadata.connection_string.expose(), &metadata.pem_path)?;
        let database = Arc::new(Database::new(target, settings, Some(schema))?);
        let cleaner = Mutex::new(cleaning.start(Arc::clone(&database)));
        Ok(Self { database, rows, cleaner })
    }

    async fn change(&self, change: Change) -> Result<()> {
        change.check(self.database.execute(self.rows.statement(&change)).await?)
    }

    async fn read(&self, keys: &[String]) -> Result<BTreeMap<String, Item>> {
        let (sql, parameters) = self.rows.get(keys);
        self.database.query(&sql, parameters).await?.into_iter().map(item).collect()
    }
}

#[async_trait]
impl Store for MysqlStore {
    fn features(&self) -> Features {
        Features { etag: true, transactional: true, ttl: true, keys_like: true, ..Features::default() }
    }

    async fn get(&self, request: GetRequest) -> Result<Option<Item>> {
        Ok(self.read(&[request.key]).await?.into_values().next())
    }

    async fn set(&self, request: SetRequest) -> Result<()> {
        self.change(Change::set(request)?).await
    }

    async fn delete(&self, request: DeleteRequest) -> Result<()> {
        self.change(Change::delete(request)).await
    }

    async fn transact(&self, operations: Vec<Operation>, _: Pairs) -> Result<()> {
        let change = |operation| match operation {
            Operation::Set(request) => Change::set(request),
            Operation::Delete(request) => Ok(Change::delete(request)),
        };
        let mut changes = operations.into_iter().map(change).collect::<Result<Vec<_>>>()?;
        if changes.len() < 2 {
            let Some(change) = changes.pop() else { return Ok(()) };
            return self.change(change).await;
        }
        let statements: Vec<_> = changes.iter().map(|change| self.rows.statement(change)).collect();
        self.database.transact(&statements, &|index, count| changes[index].check(count)).await
    }

    async fn keys_like(&self, pattern: &str, page_size: Option<u32>, continuation: Option<String>) -> Result<KeysPage> {
        if pattern.is_empty() {
            return Err(Error::invalid("keys like pattern cannot be empty"));
        }
        let after = continuation.map_or(Ok(0), |token| token.parse::<u64>());
        let after = after.map_err(|error| Error::invalid("invalid continue token").with_source(error))?;
        let size = page_size.filter(|size| *size > 0).map(|size| size as usize);
        let most = size.map_or(i64::MAX as u64, |size| size as u64 + 1);
        let (sql, parameters) = self.rows.keys_like(pattern, after, most);
        let rows = self.database.query(sql, parameters).await?;
        let mut rows: Vec<(String, u64)> = rows.into_iter().map(mysql_async::from_row).collect();
        let last = size.filter(|size| rows.len() > *size).map(|size| rows[size - 1].1.to_string());
        rows.truncate(size.unwrap_or(usize::MAX));
        Ok(KeysPage { keys: rows.into_iter().map(|(key, _)| key).collect(), continuation: last })
    }

    /// Entries are read together. Where that fails, it fails for each of them.
    async fn bulk_get(&self, requests: Vec<GetRequest>) -> Vec<Result<Option<Item>>> {
        let keys: Vec<String> = requests.into_iter().map(|request| request.key).collect();
        let mut answers = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BULK) {
            let items = self.read(keys).await;
            let find = |key| items.as_ref().map(|items| items.get(key).cloned()).map_err(Clone::clone);
            answers.extend(keys.iter().map(find));
        }
        answers
    }

    async fn ping(&self) -> Result<()> {
        self.database.ping().await
    }

    async fn close(&self) -> Result<()> {
        drop(self.cleaner.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.database.close();
        Ok(())
    }
}
