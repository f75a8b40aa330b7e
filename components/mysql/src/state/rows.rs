//! Statements about entries, with the name of the table in them.
use crate::database::Statement;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use component_api::state::{Concurrency, DeleteRequest, Etag, Item, SetRequest, Value as Stored, time_to_live};
use component_api::{Error, Kind, Metadata, Result};
use mysql_async::{Params, Row, Value};
use uuid::Uuid;

/// An entry that can be read.
const ALIVE: &str = "(expiredate IS NULL OR expiredate > CURRENT_TIMESTAMP)";

/// Statements about entries.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) cleanup: String,
    get: String,
    keys_like: String,
    upsert: String,
    insert_first: String,
    update: String,
    delete: String,
    delete_etag: String,
}

/// One write or removal.
#[derive(Debug)]
pub(super) enum Change {
    Set { key: String, json: Vec<u8>, is_binary: bool, seconds: Option<u32>, etag: Option<String>, first_write: bool },
    Delete { key: String, etag: Option<String> },
}

impl Rows {
    pub(super) fn new(table: &str) -> Self {
        let ends = "CURRENT_TIMESTAMP + INTERVAL ? SECOND";
        let insert = format!("INSERT INTO {table} (id, value, eTag, isbinary, expiredate) VALUES (?, ?, ?, ?, {ends})");
        // Columns are assigned in their order, so the expiry, by which the others decide, comes last.
        let replace = |column| format!("{column} = IF({ALIVE}, {column}, VALUES({column}))");
        let replaced = ["value", "eTag", "isbinary", "expiredate"].map(replace).join(", ");
        Self {
            get: format!("SELECT id, value, eTag, isbinary, CAST(UNIX_TIMESTAMP(expiredate) AS SIGNED) FROM {table} WHERE {ALIVE} AND id IN "),
            keys_like: format!("SELECT id, row_id FROM {table} WHERE id LIKE ? AND {ALIVE} AND row_id > ? ORDER BY row_id LIMIT ?"),
            cleanup: format!("DELETE FROM {table} WHERE expiredate IS NOT NULL AND expiredate <= CURRENT_TIMESTAMP"),
            upsert: format!(
                "{insert} ON DUPLICATE KEY UPDATE value = VALUES(value), eTag = VALUES(eTag), isbinary = VALUES(isbinary),
                 expiredate = VALUES(expiredate)"
            ),
            insert_first: format!("{insert} ON DUPLICATE KEY UPDATE {replaced}"),
            update: format!(
                "UPDATE {table} SET value = ?, eTag = ?, isbinary = ?, expiredate = {ends} WHERE id = ? AND eTag = ? AND {ALIVE}"
            ),
            delete: format!("DELETE FROM {table} WHERE id = ?"),
            delete_etag: format!("DELETE FROM {table} WHERE id = ? AND eTag = ?"),
        }
    }

    /// The statement that reads so many entries.
    pub(super) fn get(&self, keys: &[String]) -> (String, Params) {
        let places = vec!["?"; keys.len()].join(",");
        (format!("{}({places})", self.get), Params::Positional(keys.iter().map(Value::from).collect()))
    }

    /// The statement that lists keys whose row has a higher number than `after`.
    pub(super) fn keys_like(&self, pattern: &str, after: u64, most: u64) -> (&str, Params) {
        (&self.keys_like, Params::Positional(vec![pattern.into(), after.into(), most.into()]))
    }

    /// The statement that makes a change.
    pub(super) fn statement(&self, change: &Change) -> Statement<'_> {
        let (sql, values) = self.sql_and_values(change);
        Statement { sql, parameters: Params::Positional(values) }
    }

    fn sql_and_values(&self, change: &Change) -> (&str, Vec<Value>) {
        match change {
            Change::Set { key, json, is_binary, seconds, etag, first_write } => {
                let new = Uuid::new_v4().to_string();
                let mut values: Vec<Value> = vec![json.into(), new.into(), (*is_binary).into(), (*seconds).into()];
                let sql = if let Some(etag) = etag {
                    values.extend([key.into(), etag.into()]);
                    &self.update
                } else {
                    values.insert(0, key.into());
                    if *first_write { &self.insert_first } else { &self.upsert }
                };
                (sql, values)
            }
            Change::Delete { key, etag: None } => (&self.delete, vec![key.into()]),
            Change::Delete { key, etag: Some(etag) } => (&self.delete_etag, vec![key.into(), etag.into()]),
        }
    }
}

impl Change {
    pub(super) fn set(request: SetRequest) -> Result<Self> {
        let (json, is_binary) = match &request.value {
            Stored::Json(text) => (text.to_vec(), false),
            Stored::Binary(bytes) => (format!("\"{}\"", STANDARD.encode(bytes)).into_bytes(), true),
        };
        Ok(Self::Set {
            seconds: time_to_live(&request.metadata)?,
            first_write: request.concurrency == Concurrency::FirstWrite,
            etag: etag(request.etag),
            key: request.key,
            json,
            is_binary,
        })
    }

    pub(super) fn delete(request: DeleteRequest) -> Self {
        Self::Delete { etag: etag(request.etag), key: request.key }
    }

    /// Whether it was made, by the number of rows that it changed. A row that was written over counts twice.
    pub(super) fn check(&self, count: u64) -> Result<()> {
        let is_guarded = match self {
            Self::Set { etag, first_write, .. } => etag.is_some() || *first_write,
            Self::Delete { etag, .. } => etag.is_some(),
        };
        if count > 0 || !is_guarded {
            return Ok(());
        }
        Err(Error::new(Kind::EtagMismatch, "the entry has another etag, or was written first by somebody else"))
    }
}

/// An empty ETag is none.
fn etag(etag: Option<Etag>) -> Option<String> {
    etag.map(|etag| etag.0).filter(|etag| !etag.is_empty())
}

/// A row of the statement that reads.
pub(super) fn item(row: Row) -> Result<(String, Item)> {
    type Columns = (String, Vec<u8>, String, bool, Option<i64>);
    let (key, value, etag, is_binary, expires): Columns = mysql_async::from_row_opt(row)
        .map_err(|error| Error::other("the columns of the table are not those of this component").with_source(error))?;
    let data = if is_binary { decoded(&value)? } else { value };
    Ok((key, Item { data: data.into(), etag: Some(Etag(etag)), metadata: expiry(expires) }))
}

fn decoded(json: &[u8]) -> Result<Vec<u8>> {
    let broken = "the entry is marked as binary, but is no base64";
    let text: String = serde_json::from_slice(json).map_err(|error| Error::other(broken).with_source(error))?;
    STANDARD.decode(text).map_err(|error| Error::other(broken).with_source(error))
}

fn expiry(seconds: Option<i64>) -> Metadata {
    let at = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    at.map(|at| Metadata::from([("ttlExpireTime".to_owned(), at.to_string())])).unwrap_or_default()
}
