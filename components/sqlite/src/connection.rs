//! Connection strings as Dapr's SQLite components take them, and opening by them.
use crate::metadata::ConnectionMetadata;
use component_api::{Error, Result};
use percent_encoding::percent_decode_str;
use rusqlite::{Connection, OpenFlags};

/// Statements that a connection keeps ready.
const STATEMENTS: usize = 32;

/// Settings that have metadata of their own.
const RESERVED: [(&str, &str); 3] = [
    ("busy_timeout", "use the metadata busyTimeout instead"),
    ("journal_mode", "use the metadata disableWAL instead"),
    ("foreign_keys", "the component decides about it"),
];

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// In SQLite's URI form.
    uri: String,
    /// Settings to make on every connection, such as `cache_size(1000)`.
    pragmas: Vec<String>,
    pub(crate) in_memory: bool,
    read_only: bool,
}

impl Address {
    /// Reads a path or a `file:` URI; `_pragma=name(value)` in its query is a setting, `_txlock` has no effect.
    ///
    /// # Errors
    /// A setting that has metadata of its own.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let path = if starts_with(path, "file:") { path.to_owned() } else { format!("file:{path}") };
        let pairs: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let pragmas = pairs.iter().filter(|(name, _)| *name == "_pragma").map(|(_, value)| pragma(value));
        let kept: Vec<_> = pairs.iter().filter(|(name, _)| !name.starts_with('_')).collect();
        Ok(Self {
            pragmas: pragmas.collect::<Result<_>>()?,
            in_memory: starts_with(&path, "file::memory:"),
            read_only: kept.iter().any(|pair| matches!(pair, ("mode", "ro") | ("immutable", "1"))),
            uri: uri(path, &kept),
        })
    }

    /// The connection that writes; the journal mode it sets stays with the file.
    pub(crate) fn open(&self, metadata: &ConnectionMetadata) -> rusqlite::Result<Connection> {
        let connection = self.connect(metadata, OpenFlags::SQLITE_OPEN_CREATE)?;
        connection.pragma_update(None, "journal_mode", self.journal_mode(metadata))?;
        Ok(connection)
    }

    /// One more connection to a database that is there.
    pub(crate) fn open_for_reading(&self, metadata: &ConnectionMetadata) -> rusqlite::Result<Connection> {
        let connection = self.connect(metadata, OpenFlags::empty())?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }

    fn connect(&self, metadata: &ConnectionMetadata, more: OpenFlags) -> rusqlite::Result<Connection> {
        let usual = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.uri, usual | more)?;
        connection.busy_timeout(metadata.busy_timeout.0)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        for pragma in &self.pragmas {
            let mut statement = connection.prepare(&format!("PRAGMA {pragma}"))?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
        }
        Ok(connection)
    }

    fn journal_mode(&self, metadata: &ConnectionMetadata) -> &'static str {
        match (self.in_memory, metadata.disable_wal || self.read_only) {
            (true, _) => "MEMORY",
            (false, true) => "DELETE",
            (false, false) => "WAL",
        }
    }
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn uri(path: String, parameters: &[&(&str, &str)]) -> String {
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if parameters.is_empty() { path } else { format!("{path}?{}", parameters.join("&")) }
}

fn pragma(value: &str) -> Result<String> {
    let text = percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned();
    for (name, instead) in RESERVED {
        if starts_with(&text, name) {
            let refusal = format!("found forbidden option '_pragma={name}' in the connection string: {instead}");
            return Err(Error::invalid(refusal));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn parsed(text: &str) -> (String, Vec<String>, &'static str) {
        let address = Address::parse(text).unwrap();
        let metadata = ConnectionMetadata {
            connection_string: text.to_owned(),
            timeout: Duration::from_secs(1).into(),
            busy_timeout: Duration::ZERO.into(),
            disable_wal: false,
        };
        let mode = address.journal_mode(&metadata);
        (address.uri, address.pragmas, mode)
    }

    #[test]
    fn paths_and_uris() {
        let plain = |uri: &str, mode| (uri.to_owned(), Vec::new(), mode);
        assert_eq!(parsed("data.db"), plain("file:data.db", "WAL"));
        assert_eq!(parsed("file:data.db?_txlock=deferred"), plain("file:data.db", "WAL"));
        assert_eq!(parsed(":memory:"), plain("file::memory:", "MEMORY"));
        assert_eq!(parsed("file:data.db?mode=ro"), plain("file:data.db?mode=ro", "DELETE"));
        let pragmas = vec!["cache_size(10)".to_owned(), "temp_store = 2".to_owned()];
        let text = "a.db?_pragma=cache_size%2810%29&cache=private&_pragma=temp_store+=+2";
        assert_eq!(parsed(text), ("file:a.db?cache=private".to_owned(), pragmas, "WAL"));
    }

    #[test]
    fn reserved_settings_are_refused() {
        for name in ["busy_timeout(5000)", "JOURNAL_MODE(DELETE)", "foreign_keys(1)"] {
            let error = Address::parse(&format!("file:data.db?_pragma={name}")).unwrap_err();
            assert!(error.to_string().contains("forbidden option"), "{error}");
        }
    }
}
