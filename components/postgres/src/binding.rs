//! `bindings.postgresql`: statements and queries (components.md 1.3).
mod metadata;
mod values;

pub use metadata::Metadata;

use crate::database::{Database, finish, translate};
use async_trait::async_trait;
use bytes::Bytes;
use component_api::binding::{Binding, Request, Response, sql};
use component_api::{Descriptor, Registry, Result, Status};
use serde_json::Value;
use std::sync::Arc;
use tokio_postgres::types::ToSql;
use values::Parameter;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["postgresql", "postgres"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Statements and queries of PostgreSQL.",
        schema: || schemars::schema_for!(Metadata),
    };
    registry.binding.add(descriptor, |config| async move {
        let binding: Arc<dyn Binding> = Arc::new(PostgresBinding::new(&Metadata::read(&config.properties)?)?);
        Ok(binding)
    });
}

/// The binding. It connects when it is first used.
#[derive(Debug)]
pub struct PostgresBinding {
    database: Database,
}

impl PostgresBinding {
    /// Prepares the binding; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new(metadata: &Metadata) -> Result<Self> {
        Ok(Self { database: Database::new(metadata, None)? })
    }
}

#[async_trait]
impl sql::Database for PostgresBinding {
    async fn execute(&self, sql: &str, parameters: Vec<Value>) -> Result<u64> {
        let parameters = typed(parameters);
        let client = self.database.client().await?;
        let done = async { client.execute(sql, &references(&parameters)).await.map_err(|error| translate(&error)) };
        let done = self.database.in_time(done).await;
        finish(client, done)
    }

    /// Rows as a JSON array of arrays.
    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Bytes> {
        let parameters = typed(parameters);
        let client = self.database.client().await?;
        let rows = async { client.query(sql, &references(&parameters)).await.map_err(|error| translate(&error)) };
        let rows = self.database.in_time(rows).await;
        let rows = finish(client, rows)?.iter().map(values::row).collect::<Result<Vec<String>>>()?;
        Ok(format!("[{}]", rows.join(",")).into())
    }

    fn close(&self) {
        self.database.close();
    }
}

#[async_trait]
impl Binding for PostgresBinding {
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

fn typed(parameters: Vec<Value>) -> Vec<Parameter> {
    parameters.into_iter().map(Parameter::from).collect()
}

fn references(parameters: &[Parameter]) -> Vec<&(dyn ToSql + Sync)> {
    parameters.iter().map(|parameter| parameter as _).collect()
}
