//! What is written into the file, and how several stores share it.
use super::{Metadata, SqliteStore};
use crate::ConnectionMetadata;
use component_api::state::{Concurrency, Consistency, Etag, GetRequest, SetRequest, Store, Value};
use component_api::{Kind, Metadata as Pairs, Properties};
use futures_util::future::join_all;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn metadata(path: &Path) -> Metadata {
    let connection_string = path.to_string_lossy().into_owned();
    Metadata { connection: ConnectionMetadata { connection_string, ..Default::default() }, ..Default::default() }
}

fn set(key: &str, value: Value) -> SetRequest {
    SetRequest {
        key: key.to_owned(),
        value,
        etag: None,
        concurrency: Concurrency::Unspecified,
        consistency: Consistency::Unspecified,
        metadata: Pairs::new(),
    }
}

fn get(key: &str) -> GetRequest {
    GetRequest { key: key.to_owned(), ..GetRequest::default() }
}

#[tokio::test]
async fn rows_are_those_of_dapr() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = SqliteStore::open(metadata(&path)).await.unwrap();
    store.set(set("json", Value::Json("{\"a\":1}".into()))).await.unwrap();
    store.set(set("bytes", Value::Binary(vec![0, 1, 255].into()))).await.unwrap();
    let connection = Connection::open(&path).unwrap();
    let mut statement = connection
        .prepare("SELECT key, value, is_binary, length(etag), expiration_time IS NULL, length(update_time) FROM state ORDER BY key")
        .unwrap();
    let row =
        |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?));
    let rows: Vec<(String, String, i64, i64, bool, i64)> =
        statement.query_map([], row).unwrap().map(Result::unwrap).collect();
    let row = |key: &str, value: &str, is_binary| (key.to_owned(), value.to_owned(), is_binary, 36, true, 19);
    assert_eq!(rows, [row("bytes", "AAH/", 1), row("json", "{\"a\":1}", 0)]);
    let level: String =
        connection.query_row("SELECT value FROM metadata WHERE key = 'migrations'", [], |row| row.get(0)).unwrap();
    assert_eq!(level, "1");
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn rows_of_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(&super::rows::creation("state")).unwrap();
    let expiry = "DATETIME(CURRENT_TIMESTAMP, '+60 seconds')";
    let rows = format!("INSERT INTO state (key, value, is_binary, etag, expiration_time) VALUES
        ('text', '\"x\"', 0, 'e', NULL), ('bytes', 'AAH/', 1, 'e', {expiry}), ('gone', '1', 0, 'e', '2020-01-01 00:00:00')");
    connection.execute_batch(&rows).unwrap();
    let store = SqliteStore::open(metadata(&path)).await.unwrap();
    let text = store.get(get("text")).await.unwrap().unwrap();
    assert_eq!((text.data.as_ref(), text.etag), (b"\"x\"".as_slice(), Some(Etag("e".to_owned()))));
    let bytes = store.get(get("bytes")).await.unwrap().unwrap();
    assert_eq!(bytes.data.as_ref(), [0, 1, 255]);
    assert!(bytes.metadata["ttlExpireTime"].ends_with('Z') && bytes.metadata["ttlExpireTime"].contains('T'));
    assert_eq!(store.get(get("gone")).await.unwrap(), None);
}

#[tokio::test]
async fn many_stores_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let opened = join_all((0..4).map(|_| SqliteStore::open(metadata(&path)))).await;
    let stores: Vec<Arc<SqliteStore>> = opened.into_iter().map(|store| Arc::new(store.unwrap())).collect();
    let first = |number: usize| SetRequest {
        concurrency: Concurrency::FirstWrite,
        ..set(&format!("key {}", number / 4), Value::Json(number.to_string().into()))
    };
    let results = join_all((0..200).map(|number| stores[number % 4].set(first(number)))).await;
    let kinds: Vec<_> = results.iter().filter_map(|result| result.as_ref().err().map(|error| error.kind())).collect();
    assert_eq!(kinds, vec![Kind::EtagMismatch; 150], "one writer of each key wins, the others are told");
    for store in &stores[1..] {
        store.close().await.unwrap();
    }
    assert_eq!(stores[0].keys_like("key %", None, None).await.unwrap().keys.len(), 50);
    assert_eq!(stores[1].get(get("key 1")).await.unwrap_err().to_string(), "component is closed");
}

#[tokio::test]
async fn expired_rows_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let cleaning = Metadata { cleanup_interval: Duration::from_millis(20).into(), ..metadata(&path) };
    let _store = SqliteStore::open(cleaning).await.unwrap();
    let connection = Connection::open(&path).unwrap();
    let insert = "INSERT INTO state (key, value, is_binary, etag, expiration_time)
        VALUES ('old', '1', 0, 'e', '2020-01-01 00:00:00'), ('kept', '1', 0, 'e', NULL)";
    connection.execute_batch(insert).unwrap();
    let count = || connection.query_row("SELECT count(*) FROM state", [], |row| row.get::<_, i64>(0)).unwrap();
    while count() > 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let marks: i64 = connection
        .query_row("SELECT count(*) FROM metadata WHERE key = 'last-cleanup' AND unixepoch(value) > 0", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!((count(), marks), (1, 1));
}

#[test]
fn metadata_has_aliases_and_limits() {
    let read = |pairs: &[(&str, &str)]| Metadata::read(&pairs.iter().copied().collect::<Properties>());
    let given = read(&[("URL", "a.db"), ("timeoutInSeconds", "30"), ("disableWAL", "yes"), ("cleanupInterval", "1m")]);
    let given = given.unwrap();
    let ConnectionMetadata { connection_string, timeout, disable_wal, .. } = &given.connection;
    assert_eq!((connection_string.as_str(), timeout.0.as_secs(), *disable_wal), ("a.db", 30, true));
    assert_eq!((given.cleanup_interval.0.as_secs(), given.table_name.as_str()), (60, "state"));
    for wrong in [("timeout", "500ms"), ("timeout", "soon"), ("tableName", "a;b")] {
        assert!(read(&[("connectionString", "a.db"), wrong]).is_err(), "{wrong:?}");
    }
    assert!(read(&[]).is_err());
}
