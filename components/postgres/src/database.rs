//! A pool of connections, made when they are needed; every operation has a deadline.
mod error;
mod migrations;

pub(crate) use error::translate;
pub(crate) use migrations::{Migrations, migrate};

use crate::connection_string::target;
use crate::metadata::ConnectionMetadata;
use crate::tls;
use component_api::{Error, Kind, OnDemand, Result};
use deadpool_postgres::{Client, Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Fewest connections of a pool of which nothing is said.
const FEW: usize = 4;

/// How long changes of tables may take, which wait for those of other processes.
const MIGRATION: Duration = Duration::from_secs(90);

/// Parameters of a statement.
pub(crate) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A database.
pub(crate) struct Database {
    entrance: Entrance,
    config: Config,
    connector: MakeRustlsConnect,
    keeps_statements: bool,
    migrations: Option<Arc<Migrations>>,
    migrated: OnDemand<()>,
}

/// Where connections come from, and how long that may take.
#[derive(Clone)]
struct Entrance {
    pool: Pool,
    timeout: Duration,
}

impl Database {
    /// Prepares a pool; nothing is connected yet. Migrations are made before the first operation.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub(crate) fn new(metadata: &ConnectionMetadata, migrations: Option<Migrations>) -> Result<Self> {
        let mut target = target(metadata)?;
        let (mode, connector) = tls::prepare(&target.tls)?;
        target.config.ssl_mode(mode);
        if target.config.get_connect_timeout().is_none() {
            target.config.connect_timeout(metadata.timeout.0);
        }
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(target.config.clone(), connector.clone(), recycling);
        let many = std::thread::available_parallelism().map_or(FEW, usize::from).max(FEW);
        let most = if metadata.max_conns > 1 { metadata.max_conns } else { target.max_connections.unwrap_or(many) };
        let pool = Pool::builder(manager).max_size(most).runtime(Runtime::Tokio1);
        let pool = pool.pre_recycle(fresh(metadata.connection_max_idle_time.0)).build();
        let pool = pool.map_err(|error| Error::other("preparing a pool of connections").with_source(error))?;
        Ok(Self {
            entrance: Entrance { pool, timeout: metadata.timeout.0 },
            config: target.config,
            connector,
            keeps_statements: metadata.keeps_statements(),
            migrations: migrations.map(Arc::new),
            migrated: OnDemand::default(),
        })
    }

    /// Rows of a statement.
    pub(crate) async fn query(&self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>> {
        let client = self.client().await?;
        let rows = async {
            let statement = self.statement(&client, sql).await?;
            client.query(&statement, parameters).await.map_err(|error| translate(&error))
        };
        let rows = self.in_time(rows).await;
        finish(client, rows)
    }

    /// The same for a statement that is seldom the same, and so is not kept.
    pub(crate) async fn query_once(&self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>> {
        let client = self.client().await?;
        let rows = async { client.query(sql, parameters).await.map_err(|error| translate(&error)) };
        let rows = self.in_time(rows).await;
        finish(client, rows)
    }

    /// How many rows a statement changed.
    pub(crate) async fn execute(&self, sql: &str, parameters: Parameters<'_>) -> Result<u64> {
        let client = self.client().await?;
        let count = async {
            let statement = self.statement(&client, sql).await?;
            client.execute(&statement, parameters).await.map_err(|error| translate(&error))
        };
        let count = self.in_time(count).await;
        finish(client, count)
    }

    /// A statement for this connection, prepared once where that is wanted.
    pub(crate) async fn statement(&self, client: &Client, sql: &str) -> Result<Statement> {
        let prepared = if self.keeps_statements { client.prepare_cached(sql).await } else { client.prepare(sql).await };
        prepared.map_err(|error| translate(&error))
    }

    /// A connection for several statements, to a database that is up to date.
    pub(crate) async fn client(&self) -> Result<Client> {
        let migrate = || {
            let (entrance, migrations) = (self.entrance.clone(), self.migrations.clone());
            async move { entrance.migrate(migrations.as_deref()).await }
        };
        self.migrated.get(migrate).await?;
        self.entrance.connect().await
    }

    /// Whether the database is there and lets us in.
    pub(crate) async fn ping(&self) -> Result<()> {
        self.client().await.map(drop)
    }

    /// The result of something, or that it was not there in time.
    pub(crate) async fn in_time<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let longest = self.entrance.timeout;
        timeout(longest, work).await.unwrap_or_else(|_| Err(too_slow(longest)))
    }

    /// How a connection of its own is made.
    pub(crate) fn own_connection(&self) -> (Config, MakeRustlsConnect) {
        (self.config.clone(), self.connector.clone())
    }

    /// Ends all connections; later operations fail.
    pub(crate) fn close(&self) {
        self.entrance.pool.close();
    }
}

impl Entrance {
    async fn migrate(&self, migrations: Option<&Migrations>) -> Result<()> {
        let Some(migrations) = migrations else { return Ok(()) };
        let mut client = self.connect().await?;
        let migrated = timeout(MIGRATION, migrate(&mut client, migrations)).await;
        finish(client, migrated.unwrap_or_else(|_| Err(too_slow(MIGRATION))))
    }

    async fn connect(&self) -> Result<Client> {
        let client = timeout(self.timeout, self.pool.get()).await.map_err(|_| too_slow(self.timeout))?;
        client.map_err(|error| match error {
            PoolError::Backend(error) => translate(&error),
            other => Error::new(Kind::Unavailable, "no connection to the database").with_source(other),
        })
    }
}

fn too_slow(longest: Duration) -> Error {
    Error::new(Kind::Timeout, format!("the database did not answer within {longest:?}"))
}

/// Refuses connections that were idle for too long; zero is no limit.
fn fresh(longest: Duration) -> Hook {
    Hook::sync_fn(move |_, connection| {
        let is_fresh = longest.is_zero() || connection.last_used() < longest;
        if is_fresh { Ok(()) } else { Err(HookError::message("it was idle for too long")) }
    })
}

/// Gives a connection back. One that still waits for an answer is closed, so that nobody waits behind it.
pub(crate) fn finish<T>(client: Client, result: Result<T>) -> Result<T> {
    if result.as_ref().is_err_and(|error| error.kind() == Kind::Timeout) {
        drop(Client::take(client));
    }
    result
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("hosts", &self.config.get_hosts()).finish_non_exhaustive()
    }
}
