//! `configuration.sqlite`: items in a table that anybody may write, such as with the `sqlite3` shell. This component is
//! Trilby's own.
//!
//! The kernel tells when a process writes to the files of the database; then the table is compared with what is known of
//! it. Contract: components.md 4.5.
mod follower;
mod metadata;
mod rows;
mod watcher;

pub use metadata::Metadata;

use crate::database::Database;
use crate::migrations::Migrations;
use async_trait::async_trait;
use component_api::configuration::{Items, Notify, Store, follow};
use component_api::pubsub::Subscription;
use component_api::{Descriptor, Metadata as Pairs, Registry, Result, Status};
use follower::Follower;
use rows::Rows;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["sqlite"],
        versions: &["v1"],
        status: Status::Alpha,
        summary: "Configuration items in a table of a SQLite file, which any program may write.",
        schema: Metadata::schema,
    };
    registry.configuration.add(descriptor, |config| async move {
        let metadata = Metadata::read(&config.properties)?;
        let store: Arc<dyn Store> = Arc::new(SqliteConfiguration::open(metadata).await?);
        Ok(store)
    });
}

/// The store. Any number of them, in any number of processes, may work on one file.
#[derive(Debug)]
pub struct SqliteConfiguration {
    database: Arc<Database>,
    rows: Arc<Rows>,
    /// Starts with the first subscription.
    follower: Mutex<Option<Follower>>,
}

impl SqliteConfiguration {
    /// Opens the database, and creates it where there is none.
    ///
    /// # Errors
    /// The file cannot be opened or is no database.
    pub async fn open(metadata: Metadata) -> Result<Self> {
        let connection = metadata.connection.clone();
        let migrations = Migrations {
            table: metadata.metadata_table_name,
            key: "configuration-migrations",
            steps: vec![rows::creation(&metadata.table_name)],
        };
        let database = Arc::new(Database::open(connection, migrations).await?);
        Ok(Self { database, rows: Arc::new(Rows::new(&metadata.table_name)), follower: Mutex::default() })
    }
}

#[async_trait]
impl Store for SqliteConfiguration {
    async fn get(&self, keys: &[String], _: &Pairs) -> Result<Items> {
        let (rows, keys) = (Arc::clone(&self.rows), keys.to_vec());
        self.database.read(move |connection| rows.get(connection, &keys)).await
    }

    async fn subscribe(&self, keys: Vec<String>, _: Pairs, notify: Arc<dyn Notify>) -> Result<Subscription> {
        let mut follower = self.follower.lock().await;
        let running = match follower.take() {
            Some(running) => running,
            None => Follower::start(&self.database, &self.rows).await?,
        };
        let items = follower.insert(running).items();
        Ok(follow(items, keys, notify))
    }

    async fn close(&self) -> Result<()> {
        self.follower.lock().await.take();
        self.database.close().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
