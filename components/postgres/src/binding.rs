//! `bindings.postgresql`: statements and queries (components.md 1.3).
mod metadata;
mod values;

pub use metadata::Metadata;

use crate::database::{Database, finish, translate};
use async_trait::async_trait;
use bytes::Bytes;
use component_api::binding::{Binding, Request, Response};
use component_api::{Descriptor, Error, Metadata as Pairs, Registry, Result, Status, metadata_value};
use foundation_metadata::duration;
use serde_json::Value;
use std::sync::Arc;
use std::time::Instant;
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

    async fn exec(&self, sql: &str, parameters: &[Parameter]) -> Result<u64> {
        let client = self.database.client().await?;
        let done = async { client.execute(sql, &references(parameters)).await.map_err(|error| translate(&error)) };
        let done = self.database.in_time(done).await;
        finish(client, done)
    }

    /// Rows as a JSON array of arrays.
    async fn query(&self, sql: &str, parameters: &[Parameter]) -> Result<Bytes> {
        let client = self.database.client().await?;
        let rows = async { client.query(sql, &references(parameters)).await.map_err(|error| translate(&error)) };
        let rows = self.database.in_time(rows).await;
        let rows = finish(client, rows)?.iter().map(values::row).collect::<Result<Vec<String>>>()?;
        Ok(format!("[{}]", rows.join(",")).into())
    }
}

#[async_trait]
impl Binding for PostgresBinding {
    fn operations(&self) -> Vec<String> {
        ["exec", "query", "close"].map(str::to_owned).to_vec()
    }

    async fn invoke(&self, request: Request) -> Result<Response> {
        if request.operation == "close" {
            self.database.close();
            return Ok(Response::default());
        }
        let sql = metadata_value(&request.metadata, "sql").filter(|sql| !sql.is_empty());
        let sql = sql.ok_or_else(|| Error::invalid("required metadata not set: sql"))?;
        let parameters = parameters(&request.metadata)?;
        let (begin, start) = (jiff::Timestamp::now(), Instant::now());
        let mut metadata =
            Pairs::from([("operation".to_owned(), request.operation.clone()), ("sql".to_owned(), sql.to_owned())]);
        let data = match request.operation.as_str() {
            "exec" => {
                let count = self.exec(sql, &parameters).await?;
                metadata.insert("rows-affected".to_owned(), count.to_string());
                Bytes::new()
            }
            "query" => self.query(sql, &parameters).await?,
            other => {
                return Err(Error::unsupported(format!(
                    "invalid operation type: {other}. Expected exec, query, or close"
                )));
            }
        };
        metadata.insert("start-time".to_owned(), begin.to_string());
        metadata.insert("end-time".to_owned(), jiff::Timestamp::now().to_string());
        metadata.insert("duration".to_owned(), duration::format(start.elapsed()));
        Ok(Response { data: Some(data), metadata, failure: None })
    }

    async fn ping(&self) -> Result<()> {
        self.database.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.database.close();
        Ok(())
    }
}

fn parameters(metadata: &Pairs) -> Result<Vec<Parameter>> {
    let Some(text) = metadata_value(metadata, "params").filter(|text| !text.is_empty()) else { return Ok(Vec::new()) };
    let values: std::result::Result<Vec<Value>, _> = serde_json::from_str(text);
    let values = values.map_err(|error| {
        Error::invalid("invalid metadata property params: failed to unserialize into an array").with_source(error)
    })?;
    Ok(values.into_iter().map(Parameter::from).collect())
}

fn references(parameters: &[Parameter]) -> Vec<&(dyn ToSql + Sync)> {
    parameters.iter().map(|parameter| parameter as _).collect()
}
