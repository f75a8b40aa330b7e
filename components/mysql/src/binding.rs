//! `bindings.mysql`: statements and queries (components.md 1.3).
mod metadata;
mod values;

pub use metadata::Metadata;

use crate::data_source::target;
use crate::database::{Database, Limits, Settings, Statement};
use async_trait::async_trait;
use bytes::Bytes;
use component_api::binding::{Binding, Request, Response};
use component_api::{Descriptor, Error, Metadata as Pairs, Registry, Result, Status, metadata_value};
use foundation_metadata::duration;
use mysql_async::Params;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

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

    /// Rows as a JSON array of objects, or `null` where there are none.
    async fn query(&self, sql: &str, parameters: Params) -> Result<Bytes> {
        let rows = self.database.query(sql, parameters).await?;
        if rows.is_empty() {
            return Ok(Bytes::from_static(b"null"));
        }
        let rows: Vec<_> = rows.into_iter().map(values::row).collect();
        let json = serde_json::to_vec(&rows);
        Ok(json.map_err(|error| Error::other("error marshalling query result").with_source(error))?.into())
    }
}

#[async_trait]
impl Binding for MysqlBinding {
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
                let count = self.database.execute(Statement { sql, parameters }).await?;
                metadata.insert("rows-affected".to_owned(), count.to_string());
                Bytes::new()
            }
            "query" => self.query(sql, parameters).await?,
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

/// The parameters of the statement: a JSON array in the metadata.
fn parameters(metadata: &Pairs) -> Result<Params> {
    let Some(text) = metadata_value(metadata, "params").filter(|text| !text.is_empty()) else {
        return Ok(Params::Empty);
    };
    let values: std::result::Result<Vec<Value>, _> = serde_json::from_str(text);
    let values = values.map_err(|error| {
        Error::invalid("invalid metadata property params: failed to unserialize into an array").with_source(error)
    })?;
    let values = values.into_iter().map(values::parameter).collect::<Result<Vec<_>>>()?;
    Ok(if values.is_empty() { Params::Empty } else { Params::Positional(values) })
}
