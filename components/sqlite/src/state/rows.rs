//! The table of the entries: JSON as text, bytes in base64 with `is_binary`, times as SQLite's UTC text.
use crate::database::Outcome;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use component_api::state::{Concurrency, DeleteRequest, Etag, Item, KeysPage, SetRequest, Value, time_to_live};
use component_api::{Error, Kind, Metadata};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};
use std::borrow::Cow;

/// Rows that have not expired.
const ALIVE: &str = "(expiration_time IS NULL OR expiration_time > CURRENT_TIMESTAMP)";

/// The statements, with the name of the table in them.
#[derive(Debug)]
pub(super) struct Rows {
    get: String,
    replace: String,
    insert: String,
    update: String,
    delete: String,
    delete_matching: String,
    keys: String,
}

/// The statement that makes the table.
pub(super) fn creation(table: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (
            key TEXT NOT NULL PRIMARY KEY,
            value TEXT NOT NULL,
            is_binary BOOLEAN NOT NULL,
            etag TEXT NOT NULL,
            expiration_time TIMESTAMP DEFAULT NULL,
            update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
        )"
    )
}

/// The statement that removes expired rows.
pub(super) fn cleanup(table: &str) -> String {
    format!("DELETE FROM {table} WHERE expiration_time IS NOT NULL AND expiration_time < CURRENT_TIMESTAMP")
}

impl Rows {
    pub(super) fn new(table: &str) -> Self {
        let columns = "(key, value, is_binary, etag, update_time, expiration_time)";
        // Without a lifetime the modifier is NULL, and so is the time.
        let values = "?1, ?2, ?3, ?4, CURRENT_TIMESTAMP, DATETIME(CURRENT_TIMESTAMP, ?5)";
        Self {
            get: format!("SELECT value, is_binary, etag, expiration_time FROM {table} WHERE key = ?1 AND {ALIVE}"),
            replace: format!("INSERT OR REPLACE INTO {table} {columns} VALUES ({values})"),
            insert: format!(
                "INSERT OR REPLACE INTO {table} {columns} SELECT {values}
                 WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE key = ?1 AND {ALIVE})"
            ),
            update: format!(
                "UPDATE {table} SET value = ?2, is_binary = ?3, etag = ?4, update_time = CURRENT_TIMESTAMP,
                 expiration_time = DATETIME(CURRENT_TIMESTAMP, ?5) WHERE key = ?1 AND etag = ?6 AND {ALIVE}"
            ),
            delete: format!("DELETE FROM {table} WHERE key = ?1"),
            delete_matching: format!("DELETE FROM {table} WHERE key = ?1 AND etag = ?2"),
            keys: format!(
                "SELECT key, rowid FROM {table} WHERE key LIKE ?1 ESCAPE '\\' AND {ALIVE} AND rowid > ?2
                 ORDER BY rowid LIMIT ?3"
            ),
        }
    }

    pub(super) fn get(&self, connection: &Connection, key: &str) -> Outcome<Option<Item>> {
        if key.is_empty() {
            return Err(Error::invalid("missing key in get operation").into());
        }
        let mut statement = connection.prepare_cached(&self.get)?;
        let mut rows = statement.query([key])?;
        rows.next()?.map(item).transpose()
    }

    pub(super) fn set(&self, connection: &Connection, request: &SetRequest) -> Outcome<()> {
        let SetRequest { key, etag, .. } = request;
        if key.is_empty() {
            return Err(Error::invalid("missing key in set option").into());
        }
        let expiry = time_to_live(&request.metadata)?.map(|seconds| format!("+{seconds} seconds"));
        let (value, is_binary) = stored(&request.value);
        let new_etag = uuid::Uuid::new_v4().to_string();
        let values = params![key, value, is_binary, new_etag, expiry];
        let changed = match given(etag.as_ref()) {
            Some(etag) => {
                let values = params![key, value, is_binary, new_etag, expiry, etag];
                connection.prepare_cached(&self.update)?.execute(values)?
            }
            None if request.concurrency == Concurrency::FirstWrite => {
                connection.prepare_cached(&self.insert)?.execute(values)?
            }
            None => connection.prepare_cached(&self.replace)?.execute(values)?,
        };
        if changed == 0 { Err(mismatch().into()) } else { Ok(()) }
    }

    pub(super) fn delete(&self, connection: &Connection, request: &DeleteRequest) -> Outcome<()> {
        if request.key.is_empty() {
            return Err(Error::invalid("missing key in delete operation").into());
        }
        let Some(etag) = given(request.etag.as_ref()) else {
            connection.prepare_cached(&self.delete)?.execute([&request.key])?;
            return Ok(());
        };
        let deleted = connection.prepare_cached(&self.delete_matching)?.execute([request.key.as_str(), etag])?;
        if deleted == 0 { Err(mismatch().into()) } else { Ok(()) }
    }

    /// The keys of rows after the one with that id.
    pub(super) fn keys_like(
        &self,
        connection: &Connection,
        pattern: &str,
        page_size: Option<u32>,
        after: i64,
    ) -> Outcome<KeysPage> {
        let mut statement = connection.prepare_cached(&self.keys)?;
        let limit = page_size.map_or(-1, i64::from);
        let found = statement.query_map(params![pattern, after, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let found: Vec<(String, i64)> = found.collect::<rusqlite::Result<_>>()?;
        let is_full = page_size.is_some_and(|size| found.len() >= size as usize);
        let continuation = found.last().filter(|_| is_full).map(|(_, id)| id.to_string());
        Ok(KeysPage { keys: found.into_iter().map(|(key, _)| key).collect(), continuation })
    }
}

fn given(etag: Option<&Etag>) -> Option<&str> {
    etag.map(|etag| etag.0.as_str()).filter(|etag| !etag.is_empty())
}

fn stored(value: &Value) -> (Cow<'_, str>, bool) {
    match value {
        Value::Json(text) => (String::from_utf8_lossy(text), false),
        Value::Binary(bytes) => (Cow::Owned(STANDARD.encode(bytes)), true),
    }
}

fn item(row: &Row<'_>) -> Outcome<Item> {
    let value = bytes(row.get_ref(0)?);
    let data = if row.get(1)? { decoded(value)? } else { Bytes::copy_from_slice(value) };
    let expiry = match row.get_ref(3)? {
        ValueRef::Null => None,
        time => Some(("ttlExpireTime".to_owned(), rfc3339(&String::from_utf8_lossy(bytes(time))))),
    };
    Ok(Item { data, etag: Some(Etag(row.get(2)?)), metadata: Metadata::from_iter(expiry) })
}

fn bytes<'a>(value: ValueRef<'a>) -> &'a [u8] {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => &[],
    }
}

fn decoded(value: &[u8]) -> Outcome<Bytes> {
    let decoded =
        STANDARD.decode(value).map_err(|error| Error::other("failed to decode binary data").with_source(error));
    Ok(decoded?.into())
}

/// SQLite's own form has a space in it and no zone.
fn rfc3339(time: &str) -> String {
    let time = time.replacen(' ', "T", 1);
    if time.len() == "2006-01-02T15:04:05".len() { format!("{time}Z") } else { time }
}

/// Dapr's component says nothing more than that.
fn mismatch() -> Error {
    Error::new(Kind::EtagMismatch, "")
}
