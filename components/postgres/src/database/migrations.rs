//! Changes of tables, each made once, by one of all the sidecars that use the database, be they Trilby's or Dapr's.
use super::translate;
use component_api::{Error, Result};
use deadpool_postgres::Client;
use std::time::Duration;
use tokio::time::sleep;
use tokio_postgres::error::SqlState;

/// What PostgreSQL says when two create the same table.
const COLLISIONS: [SqlState; 3] = [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_OBJECT, SqlState::DUPLICATE_TABLE];
/// How often, and after which pause, the table is created again when another process does so at the same time.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(50);

/// The steps to the tables as they are now.
#[derive(Clone, Debug)]
pub(crate) struct Migrations {
    /// Table that remembers how many steps were made.
    pub(crate) table: String,
    /// Under which key.
    pub(crate) key: String,
    /// Statements; each step is one text.
    pub(crate) steps: Vec<String>,
}

/// Makes the steps that were not made yet. A row of the table is the lock, as in Dapr's components.
pub(crate) async fn migrate(client: &mut Client, migrations: &Migrations) -> Result<()> {
    let table = &migrations.table;
    create_table(client, table).await?;
    let lock = format!("INSERT INTO {table} (key, value) VALUES ('lock', 'lock') ON CONFLICT (key) DO NOTHING");
    client.batch_execute(&lock).await.map_err(|error| translate(&error))?;
    let transaction = client.transaction().await.map_err(|error| translate(&error))?;
    let take = format!("SELECT value FROM {table} WHERE key = 'lock' FOR UPDATE");
    transaction.batch_execute(&take).await.map_err(|error| translate(&error))?;
    let level = format!("SELECT value FROM {table} WHERE key = $1");
    let row = transaction.query_opt(&level, &[&migrations.key]).await.map_err(|error| translate(&error))?;
    let level = row.map_or(Ok(0), |row| row.get::<_, String>(0).parse::<usize>());
    let level = level.map_err(|error| Error::other(format!("{table} has an invalid level")).with_source(error))?;
    if level >= migrations.steps.len() {
        return transaction.rollback().await.map_err(|error| translate(&error));
    }
    for step in &migrations.steps[level..] {
        transaction.batch_execute(step).await.map_err(|error| translate(&error))?;
    }
    let update = format!("INSERT INTO {table} (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2");
    let made = migrations.steps.len().to_string();
    transaction.execute(&update, &[&migrations.key, &made]).await.map_err(|error| translate(&error))?;
    transaction.commit().await.map_err(|error| translate(&error))
}

/// Two processes that create a table at the same time get in each other's way even if they say `IF NOT EXISTS`.
async fn create_table(client: &Client, table: &str) -> Result<()> {
    let create = format!("CREATE TABLE IF NOT EXISTS {table} (key text NOT NULL PRIMARY KEY, value text NOT NULL)");
    for _ in 0..TRIES {
        match client.batch_execute(&create).await {
            Err(error) if error.code().is_some_and(|code| COLLISIONS.contains(code)) => sleep(PAUSE).await,
            created => return created.map_err(|error| translate(&error)),
        }
    }
    client.batch_execute(&create).await.map_err(|error| translate(&error))
}
