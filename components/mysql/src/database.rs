//! A pool of connections, made when they are needed; every operation has a deadline.
mod error;
mod pool;
mod schema;

use error::{is_deadlock, says, translate};
pub(crate) use pool::Limits;
pub(crate) use schema::Schema;

use crate::data_source::Target;
use component_api::{Error, Kind, OnDemand, Result};
use deadpool::managed::{Object, Pool, PoolError};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as MysqlError, Opts, OptsBuilder, Params, Row, TxOpts};
use pool::Connector;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};

/// How often something is done again that the server undid for the sake of another, and the pause before.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(5);
/// How long changes of tables may take.
const PREPARATION: Duration = Duration::from_secs(90);

/// A connection of the pool.
type Client = Object<Connector>;

/// A result in the words of the driver.
type Answer<T> = std::result::Result<T, MysqlError>;

/// Decides about the number of rows that the statement of that index changed.
pub(crate) type Check<'a> = &'a (dyn Fn(usize, u64) -> Result<()> + Sync);

/// A statement with its parameters.
pub(crate) struct Statement<'a> {
    pub(crate) sql: &'a str,
    pub(crate) parameters: Params,
}

/// A database.
pub(crate) struct Database {
    pool: Pool<Connector>,
    name: String,
    timeout: Duration,
    schema: Option<Arc<Schema>>,
    prepared: OnDemand<()>,
}

/// How connections are used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How long an operation may take.
    pub(crate) timeout: Duration,
    /// Most connections at the same time.
    pub(crate) most: usize,
    pub(crate) limits: Limits,
}

impl Database {
    /// Prepares a pool; nothing is connected yet. What the schema lacks is made before the first operation.
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub(crate) fn new(target: Target, settings: Settings, schema: Option<Schema>) -> Result<Self> {
        let options = match &schema {
            Some(schema) => target.options.db_name(Some(&schema.database)),
            None => target.options,
        };
        let timeout = target.timeout.unwrap_or(settings.timeout).min(settings.timeout);
        let connector = Connector { options: options.into(), limits: settings.limits, timeout };
        let pool = Pool::builder(connector).max_size(settings.most).build();
        let pool = pool.map_err(|error| Error::other("preparing a pool of connections").with_source(error))?;
        let (name, schema) = (target.name, schema.map(Arc::new));
        Ok(Self { pool, name, timeout: settings.timeout, schema, prepared: OnDemand::default() })
    }

    /// Rows of a statement.
    pub(crate) async fn query(&self, sql: &str, parameters: Params) -> Result<Vec<Row>> {
        let mut client = self.client().await?;
        let rows = timeout(self.timeout, client.exec(sql, parameters)).await;
        self.finish(client, rows)
    }

    /// How many rows a statement changed.
    pub(crate) async fn execute(&self, statement: Statement<'_>) -> Result<u64> {
        let mut client = self.client().await?;
        let count = timeout(self.timeout, execute(&mut client, &statement)).await;
        self.finish(client, count)
    }

    /// Does all of these, or none of them if one changed a number of rows that `check` refuses.
    pub(crate) async fn transact(&self, statements: &[Statement<'_>], check: Check<'_>) -> Result<()> {
        let mut client = self.client().await?;
        let done = timeout(self.timeout, transact(&mut client, statements, check)).await;
        self.finish(client, done)?
    }

    /// Gives a connection back. One that still waits for an answer is closed, so that nobody waits behind it.
    fn finish<T>(&self, client: Client, in_time: std::result::Result<Answer<T>, Elapsed>) -> Result<T> {
        let Ok(done) = in_time else {
            drop(Object::take(client));
            return Err(too_slow(self.timeout));
        };
        done.map_err(|error| translate(&error))
    }

    /// Whether the database is there and lets us in.
    pub(crate) async fn ping(&self) -> Result<()> {
        self.client().await.map(drop)
    }

    /// A connection to a database that is up to date.
    async fn client(&self) -> Result<Client> {
        if let Some(schema) = &self.schema {
            let (options, schema) = (self.pool.manager().options.clone(), Arc::clone(schema));
            self.prepared.get(|| prepare(options, schema)).await?;
        }
        let client = timeout(self.timeout, self.pool.get()).await.map_err(|_| too_slow(self.timeout))?;
        client.map_err(|error| match error {
            PoolError::Backend(error) => translate(&error),
            other => Error::new(Kind::Unavailable, "no connection to the database").with_source(other),
        })
    }

    /// Ends all connections; later operations fail.
    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

/// Does a statement, again when the server undid it for the sake of another.
async fn execute(client: &mut Conn, statement: &Statement<'_>) -> Answer<u64> {
    for _ in 1..TRIES {
        match execute_once(client, statement).await {
            Err(error) if is_deadlock(&error) => sleep(PAUSE).await,
            done => return done,
        }
    }
    execute_once(client, statement).await
}

async fn transact(client: &mut Conn, statements: &[Statement<'_>], check: Check<'_>) -> Answer<Result<()>> {
    for _ in 1..TRIES {
        match transact_once(client, statements, check).await {
            Err(error) if is_deadlock(&error) => sleep(PAUSE).await,
            done => return done,
        }
    }
    transact_once(client, statements, check).await
}

/// Without parameters it is sent as text, as not every statement can be prepared.
async fn execute_once(client: &mut impl Queryable, statement: &Statement<'_>) -> Answer<u64> {
    if statement.parameters == Params::Empty {
        let result = client.query_iter(statement.sql).await?;
        let count = result.affected_rows();
        result.drop_result().await.map(|()| count)
    } else {
        let result = client.exec_iter(statement.sql, statement.parameters.clone()).await?;
        let count = result.affected_rows();
        result.drop_result().await.map(|()| count)
    }
}

async fn transact_once(client: &mut Conn, statements: &[Statement<'_>], check: Check<'_>) -> Answer<Result<()>> {
    let mut transaction = client.start_transaction(TxOpts::default()).await?;
    for (index, statement) in statements.iter().enumerate() {
        let count = execute_once(&mut transaction, statement).await?;
        if let Err(refusal) = check(index, count) {
            transaction.rollback().await?;
            return Ok(Err(refusal));
        }
    }
    transaction.commit().await?;
    Ok(Ok(()))
}

/// The database may not be there yet, so that no connection can begin in it.
async fn prepare(options: Opts, schema: Arc<Schema>) -> Result<()> {
    let work = async {
        let options = OptsBuilder::from_opts(options).db_name(None::<String>);
        let mut connection = Conn::new(options).await?;
        schema.prepare(&mut connection).await?;
        connection.disconnect().await
    };
    let prepared = timeout(PREPARATION, work).await.map_err(|_| too_slow(PREPARATION))?;
    prepared.map_err(|error| translate(&error))
}

fn too_slow(longest: Duration) -> Error {
    Error::new(Kind::Timeout, format!("the database did not answer within {longest:?}"))
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("name", &self.name).finish_non_exhaustive()
    }
}
