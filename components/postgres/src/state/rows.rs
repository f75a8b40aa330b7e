//! Statements about entries, with the name of the table in them.
use super::dialect::Dialect;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use component_api::state::{Concurrency, DeleteRequest, Etag, Item, SetRequest, Value, time_to_live};
use component_api::{Error, Kind, Metadata, Result};
use jiff::{RoundMode, TimestampRound, Unit};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Statements about entries.
#[derive(Debug)]
pub(super) struct Rows {
    dialect: Dialect,
    /// Entries by their keys: key, value, whether it is binary, ETag, expiry.
    pub(super) get: String,
    /// The same of all entries that have not expired, to which conditions are added.
    pub(super) all: String,
    /// Keys and numbers of rows: pattern, number to begin after, limit.
    pub(super) keys_like: String,
    pub(super) cleanup: String,
    upsert: String,
    upsert_first: String,
    update: String,
    delete: String,
    delete_etag: String,
}

/// One write or removal.
#[derive(Debug)]
pub(super) enum Change {
    Set { key: String, value: Stored, seconds: Option<i64>, etag: Option<String>, first_write: bool },
    Delete { key: String, etag: Option<String> },
}

/// A value as its column has it.
#[derive(Debug)]
pub(super) enum Stored {
    Json { text: String, is_binary: bool },
    Bytes(Vec<u8>),
}

impl Rows {
    pub(super) fn new(dialect: Dialect, table: &str) -> Self {
        let (expiry, changed, etag) = (dialect.expiry(), dialect.changed(), dialect.etag());
        let alive = format!("(t.{expiry} IS NULL OR t.{expiry} >= now())");
        let ends = "now() + $3::bigint * interval '1 second'";
        let (columns, values, kept) = match dialect {
            Dialect::Xmin => ("value, isbinary", "$2::text::jsonb, $4::boolean", "isbinary = excluded.isbinary, "),
            Dialect::Counter => {
                ("value, isbinary, etag", "$2::text::jsonb, $4::boolean, 1", "isbinary = excluded.isbinary, ")
            }
            Dialect::Bytes => ("value, etag", "$2::bytea, gen_random_uuid()", ""),
        };
        let (value, is_binary, flag) = match dialect {
            Dialect::Bytes => ("t.value", "false", ""),
            _ => ("t.value::text", "t.isbinary", "isbinary = $4::boolean, "),
        };
        let (new_value, wanted) = if dialect.keeps_json() { ("$2::text::jsonb", "$5") } else { ("$2::bytea", "$4") };
        let next = dialect.next_etag();
        let upsert = format!(
            "INSERT INTO {table} AS t (key, {columns}, {expiry}) VALUES ($1, {values}, {ends})
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, {kept}{changed} = now(), {expiry} = excluded.{expiry}{next}"
        );
        let all = format!("SELECT t.key, {value}, {is_binary}, {etag}, t.{expiry} FROM {table} AS t WHERE {alive}");
        Self {
            dialect,
            get: format!("{all} AND t.key = ANY($1)"),
            all,
            keys_like: format!(
                "SELECT t.key, t.row_id FROM {table} AS t WHERE t.key LIKE $1 ESCAPE '\\' AND {alive} AND t.row_id > $2
                 ORDER BY t.row_id LIMIT $3"
            ),
            cleanup: format!("DELETE FROM {table} WHERE {expiry} < now()"),
            upsert_first: format!("{upsert} WHERE t.{expiry} < now()"),
            upsert,
            update: format!(
                "UPDATE {table} AS t SET value = {new_value}, {flag}{changed} = now(), {expiry} = {ends}{next}
                 WHERE t.key = $1 AND {etag} = {wanted}::text AND {alive}"
            ),
            delete: format!("DELETE FROM {table} WHERE key = $1"),
            delete_etag: format!("DELETE FROM {table} AS t WHERE t.key = $1 AND {etag} = $2::text"),
        }
    }

    /// Whether values can be looked into.
    pub(super) fn keeps_json(&self) -> bool {
        self.dialect.keeps_json()
    }

    pub(super) fn sql(&self, change: &Change) -> &str {
        match change {
            Change::Set { etag: Some(_), .. } => &self.update,
            Change::Set { first_write: true, .. } => &self.upsert_first,
            Change::Set { .. } => &self.upsert,
            Change::Delete { etag: Some(_), .. } => &self.delete_etag,
            Change::Delete { .. } => &self.delete,
        }
    }

    /// The parameters of that statement.
    pub(super) fn parameters<'a>(&self, change: &'a Change) -> Vec<&'a (dyn ToSql + Sync)> {
        match change {
            Change::Set { key, value, seconds, etag, .. } => {
                let mut parameters: Vec<&'a (dyn ToSql + Sync)> = match value {
                    Stored::Json { text, is_binary } => vec![key, text, seconds, is_binary],
                    Stored::Bytes(bytes) => vec![key, bytes, seconds],
                };
                parameters.extend(etag.iter().map(|etag| etag as &(dyn ToSql + Sync)));
                parameters
            }
            Change::Delete { key, etag } => {
                [key as _].into_iter().chain(etag.iter().map(|etag| etag as &(dyn ToSql + Sync))).collect()
            }
        }
    }

    pub(super) fn set(&self, request: SetRequest) -> Result<Change> {
        Ok(Change::Set {
            seconds: time_to_live(&request.metadata)?.map(i64::from),
            etag: self.etag(request.etag)?,
            value: self.stored(&request.value)?,
            first_write: request.concurrency == Concurrency::FirstWrite,
            key: request.key,
        })
    }

    pub(super) fn delete(&self, request: DeleteRequest) -> Result<Change> {
        Ok(Change::Delete { etag: self.etag(request.etag)?, key: request.key })
    }

    fn stored(&self, value: &Value) -> Result<Stored> {
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec());
        Ok(match value {
            _ if !self.dialect.keeps_json() => Stored::Bytes(value.bytes().to_vec()),
            Value::Json(json) => {
                let text = text(json).map_err(|error| Error::invalid("the value is no JSON").with_source(error))?;
                Stored::Json { text, is_binary: false }
            }
            Value::Binary(bytes) => Stored::Json { text: format!("\"{}\"", STANDARD.encode(bytes)), is_binary: true },
        })
    }

    /// An ETag as the database would print it; an empty one is none.
    fn etag(&self, etag: Option<Etag>) -> Result<Option<String>> {
        let Some(etag) = etag.filter(|etag| !etag.0.is_empty()) else { return Ok(None) };
        if self.dialect == Dialect::Bytes {
            let uuid = Uuid::parse_str(&etag.0);
            return uuid.map(|uuid| Some(uuid.to_string())).map_err(|_| Error::new(Kind::EtagMismatch, MISMATCH));
        }
        let number = etag.0.parse::<u32>();
        let invalid = |error| Error::new(Kind::EtagInvalid, "an etag of postgres is a whole number").with_source(error);
        number.map(|number| Some(number.to_string())).map_err(invalid)
    }

    pub(super) fn item(&self, row: &Row) -> Result<(String, Item)> {
        let data = if !self.dialect.keeps_json() {
            row.get::<_, Vec<u8>>(1)
        } else if row.get(2) {
            let text: String = row.get(1);
            let decoded = STANDARD.decode(text.trim_matches('"'));
            decoded
                .map_err(|error| Error::other("the entry is marked as binary, but is no base64").with_source(error))?
        } else {
            row.get::<_, String>(1).into_bytes()
        };
        let etag = row.get::<_, Option<String>>(3).map(Etag);
        Ok((row.get(0), Item { data: data.into(), etag, metadata: expiry(row.get(4)) }))
    }
}

const MISMATCH: &str = "the entry has another etag, or was written first by somebody else";

impl Change {
    /// Whether it was made, by the number of rows that it changed.
    pub(super) fn check(&self, count: u64) -> Result<()> {
        match self {
            Self::Delete { etag: None, .. } => Ok(()),
            _ if count == 1 => Ok(()),
            _ => Err(Error::new(Kind::EtagMismatch, MISMATCH)),
        }
    }
}

fn expiry(at: Option<jiff::Timestamp>) -> Metadata {
    let whole = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Trunc);
    let at = at.and_then(|at| at.round(whole).ok());
    at.map(|at| Metadata::from([("ttlExpireTime".to_owned(), at.to_string())])).unwrap_or_default()
}
