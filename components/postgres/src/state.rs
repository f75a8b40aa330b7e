//! `state.postgresql` in both versions, and the databases that speak its protocol (components.md 1.1).
//!
//! Version 1 keeps JSON in a `jsonb` column and counts versions by the row's transaction; version 2 keeps bytes and has
//! a UUID as ETag. CockroachDB's version 1 is the former with a counter.
mod dialect;
mod metadata;
mod query;
mod rows;

pub use dialect::Dialect;
pub use metadata::{MetadataV1, MetadataV2};

use crate::database::{Database, Migrations, finish, translate};
use crate::metadata::ConnectionMetadata;
use async_trait::async_trait;
use component_api::state::{
    DeleteRequest, Features, GetRequest, Item, KeysPage, Operation, Query, QueryResult, SetRequest, Store,
};
use component_api::{Config, Descriptor, Error, Metadata as Pairs, Registry, Result, Status, Task};
use deadpool_postgres::Client;
use query::Search;
use rows::{Change, Rows};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Makes the components known.
pub(crate) fn register(registry: &mut Registry) {
    let postgres = Descriptor {
        names: &["postgresql", "postgres"],
        versions: &["v1", "v2"],
        status: Status::Stable,
        summary: "State in PostgreSQL. Version 2 is faster, and keeps its entries in a table of another form.",
        schema: MetadataV1::schema_of_all,
    };
    registry.state.add(postgres, |config| async move { open(&config, Dialect::Xmin) });
    let cockroach = Descriptor {
        names: &["cockroachdb"],
        summary: "State in CockroachDB. Version 2 keeps its entries in a table of another form.",
        ..descriptor(&["v1", "v2"])
    };
    registry.state.add(cockroach, |config| async move { open(&config, Dialect::Counter) });
    let yugabyte = Descriptor {
        names: &["yugabytedb", "yugabyte"],
        summary: "State in YugabyteDB.",
        schema: MetadataV2::schema,
        ..descriptor(&["v2"])
    };
    registry.state.add(yugabyte, |config| async move { open(&config, Dialect::Bytes) });
}

fn descriptor(versions: &'static [&'static str]) -> Descriptor {
    Descriptor { names: &[], versions, status: Status::Stable, summary: "", schema: MetadataV1::schema_of_all }
}

/// The store of the version that was asked for; `first` is the form of version 1.
fn open(config: &Config, first: Dialect) -> Result<Arc<dyn Store>> {
    let is_second = first == Dialect::Bytes || config.version.eq_ignore_ascii_case("v2");
    let store = if is_second {
        PostgresStore::new_v2(MetadataV2::read(&config.properties)?)?
    } else {
        PostgresStore::new_v1(MetadataV1::read(&config.properties)?, first)?
    };
    Ok(Arc::new(store))
}

/// The store. It connects when it is first used.
#[derive(Debug)]
pub struct PostgresStore {
    database: Arc<Database>,
    rows: Rows,
    cleaner: Mutex<Option<Task>>,
}

impl PostgresStore {
    /// A store of version 1; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new_v1(metadata: MetadataV1, dialect: Dialect) -> Result<Self> {
        let steps = dialect.steps(&metadata.table_name);
        let key = dialect.migrations_key("");
        let migrations = Migrations { table: metadata.metadata_table_name, key, steps };
        let rows = Rows::new(dialect, &metadata.table_name);
        Self::new(&metadata.connection, rows, migrations, "last-cleanup".to_owned(), metadata.cleanup_interval.0)
    }

    /// A store of version 2; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new_v2(metadata: MetadataV2) -> Result<Self> {
        let (table, dialect) = (format!("{}state", metadata.table_prefix), Dialect::Bytes);
        let (steps, key) = (dialect.steps(&table), dialect.migrations_key(&metadata.table_prefix));
        let migrations = Migrations { table: metadata.metadata_table_name, key, steps };
        let last_cleanup = format!("last-cleanup-state-v2-{}", metadata.table_prefix);
        let rows = Rows::new(dialect, &table);
        Self::new(&metadata.connection, rows, migrations, last_cleanup, metadata.cleanup_interval.0)
    }

    fn new(
        connection: &ConnectionMetadata,
        rows: Rows,
        migrations: Migrations,
        last_cleanup: String,
        interval: Duration,
    ) -> Result<Self> {
        let table = migrations.table.clone();
        let database = Arc::new(Database::new(connection, Some(migrations))?);
        let cleaning = Cleaning { table, key: last_cleanup, delete: rows.cleanup.clone(), interval };
        let cleaner = cleaning.start(Arc::clone(&database));
        Ok(Self { database, rows, cleaner: Mutex::new(cleaner) })
    }

    /// All changes in one transaction.
    async fn apply(&self, client: &mut Client, changes: &[Change]) -> Result<()> {
        let mut statements = Vec::new();
        for change in changes {
            statements.push(self.database.statement(client, self.rows.sql(change)).await?);
        }
        let transaction = client.transaction().await.map_err(|error| translate(&error))?;
        for (change, statement) in changes.iter().zip(&statements) {
            let count = transaction.execute(statement, &self.rows.parameters(change)).await;
            change.check(count.map_err(|error| translate(&error))?)?;
        }
        transaction.commit().await.map_err(|error| translate(&error))
    }

    async fn change(&self, change: Change) -> Result<()> {
        let count = self.database.execute(self.rows.sql(&change), &self.rows.parameters(&change)).await?;
        change.check(count)
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn features(&self) -> Features {
        let query = self.rows.keeps_json();
        Features { etag: true, transactional: true, ttl: true, query, keys_like: true, ..Features::default() }
    }

    async fn get(&self, request: GetRequest) -> Result<Option<Item>> {
        let keys = [request.key];
        let rows = self.database.query(&self.rows.get, &[&&keys[..]]).await?;
        rows.first().map(|row| self.rows.item(row).map(|(_, item)| item)).transpose()
    }

    async fn set(&self, request: SetRequest) -> Result<()> {
        self.change(self.rows.set(request)?).await
    }

    async fn delete(&self, request: DeleteRequest) -> Result<()> {
        self.change(self.rows.delete(request)?).await
    }

    async fn transact(&self, operations: Vec<Operation>, _: Pairs) -> Result<()> {
        let change = |operation| match operation {
            Operation::Set(request) => self.rows.set(request),
            Operation::Delete(request) => self.rows.delete(request),
        };
        let mut changes = operations.into_iter().map(change).collect::<Result<Vec<_>>>()?;
        if changes.len() < 2 {
            let Some(change) = changes.pop() else { return Ok(()) };
            return self.change(change).await;
        }
        let mut client = self.database.client().await?;
        let applied = self.database.in_time(self.apply(&mut client, &changes)).await;
        finish(client, applied)
    }

    async fn query(&self, document: serde_json::Value, _: Pairs) -> Result<QueryResult> {
        if !self.rows.keeps_json() {
            return Err(Error::unsupported("this state store has no queries; version 1 has them"));
        }
        let query = Query::read(&document)?;
        let search = Search::new(&query);
        let sql = search.sql(&self.rows.all, query.limit, query.skip);
        let rows = self.database.query_once(&sql, &search.parameters()).await?;
        let items = rows.iter().map(|row| self.rows.item(row)).collect::<Result<Vec<_>>>()?;
        let token = query.next_token(items.len());
        Ok(QueryResult { items, token, metadata: Pairs::new() })
    }

    async fn keys_like(&self, pattern: &str, page_size: Option<u32>, continuation: Option<String>) -> Result<KeysPage> {
        if pattern.is_empty() {
            return Err(Error::invalid("keys like pattern cannot be empty"));
        }
        let after = continuation.map_or(Ok(i64::MIN), |token| token.parse::<i64>());
        let after = after.map_err(|error| Error::invalid("invalid continue token").with_source(error))?;
        let size = page_size.filter(|size| *size > 0).map(|size| size as usize);
        let limit = size.and_then(|size| i64::try_from(size + 1).ok());
        let rows = self.database.query(&self.rows.keys_like, &[&pattern, &after, &limit]).await?;
        let last = size.filter(|size| rows.len() > *size).map(|size| &rows[size - 1]);
        let continuation = last.map(|row| row.get::<_, i64>(1).to_string());
        let keys = rows.iter().take(size.unwrap_or(usize::MAX)).map(|row| row.get(0)).collect();
        Ok(KeysPage { keys, continuation })
    }

    /// All entries are read in one go. Where that fails, it fails for each of them.
    async fn bulk_get(&self, requests: Vec<GetRequest>) -> Vec<Result<Option<Item>>> {
        let keys: Vec<String> = requests.into_iter().map(|request| request.key).collect();
        let read = self.database.query(&self.rows.get, &[&&keys[..]]).await;
        let items =
            read.and_then(|rows| rows.iter().map(|row| self.rows.item(row)).collect::<Result<BTreeMap<_, _>>>());
        keys.iter().map(|key| items.as_ref().map(|items| items.get(key).cloned()).map_err(Clone::clone)).collect()
    }

    async fn ping(&self) -> Result<()> {
        self.database.ping().await
    }

    async fn close(&self) -> Result<()> {
        let cleaner = self.cleaner.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(cleaner);
        self.database.close();
        Ok(())
    }
}

/// The regular removal of expired entries, by one of all the sidecars that use the table.
struct Cleaning {
    table: String,
    key: String,
    delete: String,
    interval: Duration,
}

impl Cleaning {
    fn start(self, database: Arc<Database>) -> Option<Task> {
        let (interval, shared) = (self.interval, Arc::new((self, database)));
        Task::cleaning(interval, move || {
            let shared = Arc::clone(&shared);
            async move { shared.0.clean(&shared.1).await }
        })
    }

    async fn clean(&self, database: &Database) -> Result<()> {
        let table = &self.table;
        let ours = format!(
            "INSERT INTO {table} (key, value) VALUES ($1, now()::text)
             ON CONFLICT (key) DO UPDATE SET value = now()::text
             WHERE (EXTRACT('epoch' FROM now() - {table}.value::timestamp with time zone) * 1000)::bigint > $2"
        );
        // A little less than the time between two, which are never exactly that far apart.
        let pause = i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX).saturating_sub(100);
        if database.execute(&ours, &[&self.key, &pause]).await? == 0 {
            return Ok(());
        }
        database.execute(&self.delete, &[]).await.map(drop)
    }
}
