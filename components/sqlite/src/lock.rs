//! `lock.sqlite`: locks of the processes of one machine in a SQLite file. This component is Trilby's own.
//!
//! Contract: components.md 4.6.
mod metadata;

pub use metadata::Metadata;

use crate::cleaner::Cleaning;
use crate::database::{Database, Outcome};
use crate::migrations::Migrations;
use async_trait::async_trait;
use component_api::lock::{Store, Unlocked};
use component_api::{Descriptor, Registry, Result, Status, Task};
use rusqlite::{Connection, OptionalExtension};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Milliseconds since 1970. It is the one clock that all processes share and that outlives a restart of the machine.
const NOW: &str = "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)";

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["sqlite"],
        versions: &["v1"],
        status: Status::Alpha,
        summary: "Locks of the processes of one machine, in a SQLite file.",
        schema: Metadata::schema,
    };
    registry.lock.add(descriptor, |config| async move {
        let store: Arc<dyn Store> = Arc::new(SqliteLocks::open(Metadata::read(&config.properties)?).await?);
        Ok(store)
    });
}

/// The store. Any number of them, in any number of processes, may work on one file.
#[derive(Debug)]
pub struct SqliteLocks {
    database: Arc<Database>,
    rows: Arc<Rows>,
    cleaner: Mutex<Option<Task>>,
}

impl SqliteLocks {
    /// Opens the database, and creates it where there is none.
    ///
    /// # Errors
    /// The file cannot be opened or is no database.
    pub async fn open(metadata: Metadata) -> Result<Self> {
        let connection = metadata.connection.clone();
        let Metadata { table_name, metadata_table_name, cleanup_interval, .. } = metadata;
        let migrations = Migrations {
            table: metadata_table_name.clone(),
            key: "lock-migrations",
            steps: vec![creation(&table_name)],
        };
        let database = Arc::new(Database::open(connection, migrations).await?);
        let cleaning = Cleaning {
            interval: cleanup_interval.0,
            metadata_table: metadata_table_name,
            key: "lock-last-cleanup",
            delete: format!("DELETE FROM {table_name} WHERE expires_at <= {NOW}"),
        };
        let cleaner = Mutex::new(cleaning.start(Arc::clone(&database)));
        Ok(Self { database, rows: Arc::new(Rows::new(&table_name)), cleaner })
    }
}

#[async_trait]
impl Store for SqliteLocks {
    async fn try_lock(&self, resource: &str, owner: &str, expiry: Duration) -> Result<bool> {
        let (rows, resource, owner) = (Arc::clone(&self.rows), resource.to_owned(), owner.to_owned());
        self.database.write(move |connection| rows.take(connection, &resource, &owner, expiry)).await
    }

    async fn unlock(&self, resource: &str, owner: &str) -> Result<Unlocked> {
        let (rows, resource, owner) = (Arc::clone(&self.rows), resource.to_owned(), owner.to_owned());
        self.database.write(move |connection| rows.release(connection, &resource, &owner)).await
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

/// The statement that makes the table.
fn creation(table: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (
            resource TEXT NOT NULL PRIMARY KEY,
            owner TEXT NOT NULL,
            expires_at INTEGER NOT NULL
        )"
    )
}

/// Statements, with the name of the table in them.
#[derive(Debug)]
struct Rows {
    take: String,
    release: String,
    owner: String,
}

impl Rows {
    fn new(table: &str) -> Self {
        Self {
            take: format!(
                "INSERT INTO {table} (resource, owner, expires_at) VALUES (?1, ?2, {NOW} + ?3)
                 ON CONFLICT (resource) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
                 WHERE expires_at <= {NOW}"
            ),
            release: format!("DELETE FROM {table} WHERE resource = ?1 AND owner = ?2 AND expires_at > {NOW}"),
            owner: format!("SELECT owner FROM {table} WHERE resource = ?1 AND expires_at > {NOW}"),
        }
    }

    fn take(&self, connection: &Connection, resource: &str, owner: &str, expiry: Duration) -> Outcome<bool> {
        let milliseconds = i64::try_from(expiry.as_millis()).unwrap_or(i64::MAX / 2).min(i64::MAX / 2);
        Ok(connection.prepare_cached(&self.take)?.execute((resource, owner, milliseconds))? > 0)
    }

    fn release(&self, connection: &Connection, resource: &str, owner: &str) -> Outcome<Unlocked> {
        if connection.prepare_cached(&self.release)?.execute((resource, owner))? > 0 {
            return Ok(Unlocked::Success);
        }
        let other = connection.prepare_cached(&self.owner)?.query_row([resource], |_| Ok(())).optional()?;
        Ok(if other.is_some() { Unlocked::OtherOwner } else { Unlocked::NoLock })
    }
}
