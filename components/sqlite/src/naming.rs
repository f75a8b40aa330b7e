//! `nameresolution.sqlite`: the sidecars of a machine in one table, which each of them renews (protocols.md 6.6).
//!
//! Namespaces are ignored, as in Dapr.
mod metadata;
mod rows;

pub use metadata::Metadata;

use crate::SCOPE;
use crate::cleaner::Cleaning;
use crate::database::Database;
use crate::migrations::Migrations;
use async_trait::async_trait;
use component_api::naming::{Registration, Resolver, Target};
use component_api::{Descriptor, Error, Kind, Registry, Result, Status, Task};
use rows::{Host, Rows};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["sqlite"],
        versions: &["v1"],
        status: Status::Alpha,
        summary: "Sidecars of a machine that find each other by a SQLite file.",
        schema: || schemars::schema_for!(Metadata),
    };
    registry.naming.add(descriptor, |config| async move {
        let resolver: Arc<dyn Resolver> = Arc::new(SqliteResolver::open(Metadata::read(&config.properties)?).await?);
        Ok(resolver)
    });
}

/// The resolver. Any number of them, in any number of processes, may work on one file.
#[derive(Debug)]
pub struct SqliteResolver {
    database: Arc<Database>,
    rows: Arc<Rows>,
    /// How often the own row is renewed.
    renewal: Duration,
    own: Mutex<Option<Own>>,
    cleaner: Mutex<Option<Task>>,
}

/// The own row and the task that keeps it fresh.
#[derive(Debug)]
struct Own {
    host: Arc<Host>,
    renewing: Task,
}

impl SqliteResolver {
    /// Opens the database, and creates it where there is none.
    ///
    /// # Errors
    /// The file cannot be opened or is no database.
    pub async fn open(metadata: Metadata) -> Result<Self> {
        let connection = metadata.connection();
        let Metadata { table_name, metadata_table_name, update_interval, cleanup_interval, .. } = metadata;
        let rows = Arc::new(Rows::new(&table_name, update_interval.0));
        let migrations = Migrations {
            table: metadata_table_name.clone(),
            key: "nr-migrations",
            steps: vec![rows::creation(&table_name)],
        };
        // A row must be renewed within the interval, and renewing may take as long as the timeout.
        let renewal = update_interval.0.saturating_sub(connection.timeout.0);
        let database = Arc::new(Database::open(connection, migrations).await?);
        let cleaning = Cleaning {
            interval: cleanup_interval.0,
            metadata_table: metadata_table_name,
            key: "nr-last-cleanup",
            delete: rows.cleanup(),
        };
        let cleaner = Mutex::new(cleaning.start(Arc::clone(&database)));
        Ok(Self { database, rows, renewal, own: Mutex::default(), cleaner })
    }

    fn renewing(&self, host: &Arc<Host>) -> Task {
        let (database, rows, host) = (Arc::clone(&self.database), Arc::clone(&self.rows), Arc::clone(host));
        let interval = self.renewal;
        Task::spawn(move |stopping| async move {
            while stopping.run_until_cancelled(tokio::time::sleep(interval)).await.is_some() {
                if !renew(&database, &rows, &host).await {
                    return;
                }
            }
        })
    }

    fn own(&self) -> MutexGuard<'_, Option<Own>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews the own row; false when another sidecar has taken the address over.
async fn renew(database: &Database, rows: &Arc<Rows>, host: &Arc<Host>) -> bool {
    let (rows, host) = (Arc::clone(rows), Arc::clone(host));
    match database.write(move |connection| rows.renew(connection, &host)).await {
        Ok(true) => true,
        Ok(false) => {
            tracing::error!(target: SCOPE, "Host registration lost: another sidecar has the same address");
            false
        }
        Err(error) => {
            tracing::error!(target: SCOPE, "Failed to update host registration: {error}");
            true
        }
    }
}

#[async_trait]
impl Resolver for SqliteResolver {
    async fn register(&self, own: Registration) -> Result<()> {
        let host = Arc::new(Host::new(own));
        let (rows, new) = (Arc::clone(&self.rows), Arc::clone(&host));
        self.database.write(move |connection| rows.register(connection, &new)).await?;
        let renewing = self.renewing(&host);
        *self.own() = Some(Own { host, renewing });
        Ok(())
    }

    /// All addresses, in random order.
    async fn resolve(&self, target: &Target) -> Result<Vec<String>> {
        let (rows, app_id) = (Arc::clone(&self.rows), target.app_id.clone());
        let addresses = self.database.read(move |connection| rows.addresses(connection, &app_id)).await?;
        if addresses.is_empty() {
            return Err(Error::new(Kind::NotFound, "no host found with the given ID"));
        }
        Ok(addresses)
    }

    async fn close(&self) -> Result<()> {
        let cleaner = self.cleaner.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(cleaner) = cleaner {
            cleaner.close().await;
        }
        let own = self.own().take();
        let mut removed = Ok(());
        if let Some(Own { host, renewing }) = own {
            renewing.close().await;
            let rows = Arc::clone(&self.rows);
            removed = self.database.write(move |connection| rows.remove(connection, &host)).await;
        }
        self.database.close().await;
        removed
    }
}

#[cfg(test)]
mod tests;
