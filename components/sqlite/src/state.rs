//! `state.sqlite`: entries in a table that Dapr's own component reads and writes too (components.md 1.1).
mod metadata;
mod rows;

pub use metadata::Metadata;

use crate::cleaner::Cleaning;
use crate::database::Database;
use crate::migrations::Migrations;
use async_trait::async_trait;
use component_api::state::{DeleteRequest, Features, GetRequest, Item, KeysPage, Operation, SetRequest, Store};
use component_api::{Descriptor, Error, Metadata as Pairs, Registry, Result, Status, Task};
use rows::Rows;
use std::sync::{Arc, Mutex, PoisonError};

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["sqlite", "sqlite3"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "State in a SQLite file, which several sidecars of a machine can share.",
        schema: Metadata::schema,
    };
    registry.state.add(descriptor, |config| async move {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(Metadata::read(&config.properties)?).await?);
        Ok(store)
    });
}

/// The store. Any number of them, in any number of processes, may work on one file.
#[derive(Debug)]
pub struct SqliteStore {
    database: Arc<Database>,
    rows: Arc<Rows>,
    cleaner: Mutex<Option<Task>>,
}

impl SqliteStore {
    /// Opens the database, and creates it where there is none.
    ///
    /// # Errors
    /// The file cannot be opened or is no database.
    pub async fn open(metadata: Metadata) -> Result<Self> {
        let rows = Arc::new(Rows::new(&metadata.table_name));
        let migrations = Migrations {
            table: metadata.metadata_table_name.clone(),
            key: "migrations",
            steps: vec![rows::creation(&metadata.table_name)],
        };
        let database = Arc::new(Database::open(metadata.connection.clone(), migrations).await?);
        let cleaning = Cleaning {
            interval: metadata.cleanup_interval.0,
            metadata_table: metadata.metadata_table_name,
            key: "last-cleanup",
            delete: rows::cleanup(&metadata.table_name),
        };
        let cleaner = Mutex::new(cleaning.start(Arc::clone(&database)));
        Ok(Self { database, rows, cleaner })
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn features(&self) -> Features {
        Features { etag: true, transactional: true, ttl: true, keys_like: true, ..Features::default() }
    }

    async fn get(&self, request: GetRequest) -> Result<Option<Item>> {
        let rows = Arc::clone(&self.rows);
        self.database.read(move |connection| rows.get(connection, &request.key)).await
    }

    async fn set(&self, request: SetRequest) -> Result<()> {
        let rows = Arc::clone(&self.rows);
        self.database.write(move |connection| rows.set(connection, &request)).await
    }

    async fn delete(&self, request: DeleteRequest) -> Result<()> {
        let rows = Arc::clone(&self.rows);
        self.database.write(move |connection| rows.delete(connection, &request)).await
    }

    async fn transact(&self, operations: Vec<Operation>, _: Pairs) -> Result<()> {
        if operations.is_empty() {
            return Ok(());
        }
        let rows = Arc::clone(&self.rows);
        let apply = move |connection: &_| {
            operations.iter().try_for_each(|operation| match operation {
                Operation::Set(request) => rows.set(connection, request),
                Operation::Delete(request) => rows.delete(connection, request),
            })
        };
        self.database.write(apply).await
    }

    async fn keys_like(&self, pattern: &str, page_size: Option<u32>, continuation: Option<String>) -> Result<KeysPage> {
        if pattern.is_empty() {
            return Err(Error::invalid("keys like pattern cannot be empty"));
        }
        let after = continuation.map_or(Ok(0), |token| token.parse());
        let after = after.map_err(|error| Error::invalid("invalid continuation token").with_source(error))?;
        let (rows, pattern) = (Arc::clone(&self.rows), pattern.to_owned());
        self.database.read(move |connection| rows.keys_like(connection, &pattern, page_size, after)).await
    }

    /// All entries are read in one go. Where that fails, it fails for each of them.
    async fn bulk_get(&self, requests: Vec<GetRequest>) -> Vec<Result<Option<Item>>> {
        let (rows, count) = (Arc::clone(&self.rows), requests.len());
        let read = move |connection: &_| {
            requests.iter().map(|request| rows.get(connection, &request.key)).collect::<crate::database::Outcome<_>>()
        };
        match self.database.read(read).await {
            Ok(items) => Vec::into_iter(items).map(Ok).collect(),
            Err(error) => (0..count).map(|_| Err(Error::new(error.kind(), error.to_string()))).collect(),
        }
    }

    async fn close(&self) -> Result<()> {
        let cleaner = self.cleaner.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(cleaner) = cleaner {
            cleaner.close().await;
        }
        self.database.close().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
