//! What bindings of SQL databases have in common: operations, metadata and answers (components.md 1.3).
use super::{Request, Response};
use crate::{Error, Metadata, Result, metadata_value};
use async_trait::async_trait;
use bytes::Bytes;
use foundation_metadata::duration;
use jiff::Timestamp;
use serde_json::Value;
use std::time::Instant;

/// A database that runs statements.
#[async_trait]
pub trait Database: Send + Sync {
    /// Runs a statement with its parameters; returns how many rows it changed.
    async fn execute(&self, sql: &str, parameters: Vec<Value>) -> Result<u64>;

    /// Runs a query with its parameters; returns its rows as JSON.
    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Bytes>;

    /// Ends all connections; later calls fail.
    fn close(&self);
}

/// Names of the operations.
pub fn operations() -> Vec<String> {
    ["exec", "query", "close"].map(str::to_owned).to_vec()
}

/// Runs what a request asks for.
///
/// # Errors
/// An operation that there is not, metadata that is missing or wrong, and what the database says.
pub async fn invoke(database: &impl Database, request: &Request) -> Result<Response> {
    if request.operation == "close" {
        database.close();
        return Ok(Response::default());
    }
    let sql = metadata_value(&request.metadata, "sql").filter(|sql| !sql.is_empty());
    let sql = sql.ok_or_else(|| Error::invalid("required metadata not set: sql"))?;
    let parameters = parameters(&request.metadata)?;
    let (begin, start) = (Timestamp::now(), Instant::now());
    let mut metadata =
        Metadata::from([("operation".to_owned(), request.operation.clone()), ("sql".to_owned(), sql.to_owned())]);
    let data = match request.operation.as_str() {
        "exec" => {
            let count = database.execute(sql, parameters).await?;
            metadata.insert("rows-affected".to_owned(), count.to_string());
            Bytes::new()
        }
        "query" => database.query(sql, parameters).await?,
        other => {
            return Err(Error::unsupported(format!("invalid operation type: {other}. Expected exec, query, or close")));
        }
    };
    metadata.insert("start-time".to_owned(), begin.to_string());
    metadata.insert("end-time".to_owned(), Timestamp::now().to_string());
    metadata.insert("duration".to_owned(), duration::format(start.elapsed()));
    Ok(Response { data: Some(data), metadata, failure: None })
}

/// The parameters of the statement: a JSON array in the metadata.
fn parameters(metadata: &Metadata) -> Result<Vec<Value>> {
    let Some(text) = metadata_value(metadata, "params").filter(|text| !text.is_empty()) else { return Ok(Vec::new()) };
    serde_json::from_str(text).map_err(|error| {
        Error::invalid("invalid metadata property params: failed to unserialize into an array").with_source(error)
    })
}
