//! The table of the items.
use crate::database::Outcome;
use component_api::Metadata;
use component_api::configuration::{Item, Items};
use rusqlite::{Connection, Row};
use serde_json::Value;
use std::collections::BTreeMap;

/// Statements, with the name of the table in them.
#[derive(Debug)]
pub(super) struct Rows {
    all: String,
    one: String,
}

/// The statement that makes the table.
pub(super) fn creation(table: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (
            key TEXT NOT NULL PRIMARY KEY,
            value TEXT NOT NULL,
            version TEXT NOT NULL DEFAULT '',
            metadata TEXT DEFAULT NULL
        )"
    )
}

impl Rows {
    pub(super) fn new(table: &str) -> Self {
        // Whoever wrote the table may have used other types.
        let text = |column| format!("coalesce(CAST({column} AS TEXT), '')");
        let columns = format!("{}, {}, {}, {}", text("key"), text("value"), text("version"), text("metadata"));
        let all = format!("SELECT {columns} FROM {table}");
        Self { one: format!("{all} WHERE key = ?1"), all }
    }

    /// The items of these keys; no keys are all keys.
    pub(super) fn get(&self, connection: &Connection, keys: &[String]) -> Outcome<Items> {
        if keys.is_empty() {
            return self.all(connection);
        }
        let mut statement = connection.prepare_cached(&self.one)?;
        let mut items = Items::new();
        for key in keys {
            for found in statement.query_map([key], read)? {
                let (key, item) = found?;
                items.insert(key, item);
            }
        }
        Ok(items)
    }

    pub(super) fn all(&self, connection: &Connection) -> Outcome<Items> {
        let mut statement = connection.prepare_cached(&self.all)?;
        let items = statement.query_map([], read)?;
        Ok(items.collect::<rusqlite::Result<_>>()?)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<(String, Item)> {
    let metadata: String = row.get(3)?;
    Ok((row.get(0)?, Item { value: row.get(1)?, version: row.get(2)?, metadata: pairs(&metadata) }))
}

/// What is no JSON object counts as none.
fn pairs(text: &str) -> Metadata {
    let pairs: BTreeMap<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    pairs.into_iter().map(|(name, value)| (name, text(value))).collect()
}
