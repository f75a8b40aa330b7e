//! `bindings.mysql`: statements and queries (components.md 1.3).
mod metadata;
mod values;

pub use metadata::Metadata;

use crate::data_source::target;
use crate::database::{Database, Limits, Settings, Statement};
use async_trait::async_trait;
use bytes::Bytes;
use component_api::binding::{Binding, Request, Response, sql};
use component_api::{Descriptor, Error, Registry, Result, Status};
use mysql_async::Params;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Most connections at the same time, of which nothing is said.
const CONNECTIONS: usize = 16;
/// How long an operation may take; Dapr's component waits without limit.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["mysql"],
        versions: &["v1"],
        status: Status::Alpha,
        summary: "Statements and queries of MySQL and MariaDB.",
        schema: || schemars::schema_for!(Metadata),
    };
    registry.binding.add(descriptor, |config| async move {
        let binding: Arc<dyn Binding> = Arc::new(MysqlBinding::new(&Metadata::read(&config.properties)?)?);
        Ok(binding)
    });
}

/// The binding. It connects when it is first used.
#[derive(Debug)]
pub struct MysqlBinding {
    database: Database,
}

impl MysqlBinding {
    /// Prepares the binding; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new(metadata: &Metadata) -> Result<Self> {
        let most = usize::try_from(metadata.max_open_conns).ok().filter(|most| *most > 0).unwrap_or(CONNECTIONS);
        let limits = Limits { idle: metadata.conn_max_idle_time.0, age: metadata.conn_max_lifetime.0 };
        let target = target(metadata.url.expose(), &metadata.pem_path)?;
        Ok(Self { database: Database::new(target, Settings { timeout: TIMEOUT, most, limits }, None)? })
    }
}

#[async_trait]
impl sql::Database for MysqlBinding {
    async fn execute(&self, sql: &str, parameters: Vec<Value>) -> Result<u64> {
        self.database.execute(Statement { sql, parameters: positional(parameters)? }).await
    }

    /// Rows as a JSON array of objects, or `null` where there are none.
    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Bytes> {
        let rows = self.database.query(sql, positional(parameters)?).await?;
        if rows.is_empty() {
            return Ok(Bytes::from_static(b"null"));
        }
        let rows: Vec<_> = rows.into_iter().map(values::row).collect();
        let json = serde_json::to_vec(&rows);
        Ok(json.map_err(|error| Error::other("error marshalling query result").with_source(error))?.into())
    }

    fn close(&self) {
        self.database.close();
    }
}

#[async_trait]
impl Binding for MysqlBinding {
    fn operations(&self) -> Vec<String> {
        sql::operations()
    }

    async fn invoke(&self, request: Request) -> Result<Response> {
        sql::invoke(self, &request).await
    }

    async fn ping(&self) -> Result<()> {
        self.database.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.database.close();
        Ok(())
    }
}

fn positional(parameters: Vec<Value>) -> Result<Params> {
    if parameters.is_empty() {
        return Ok(Params::Empty);
    }
    parameters.into_iter().map(values::parameter).collect::<Result<Vec<_>>>().map(Params::Positional)
}
