//! The common suite over the components of this crate, each test with a server of its own.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod tls;

use component_api::state::{Store, Value};
use component_api::{Kind, Metadata as Pairs};
use component_mysql::binding::{self, MysqlBinding};
use component_mysql::state::{Metadata, MysqlStore};
use conformance::binding::sql;
use conformance::patience::until_it_works;
use conformance::server::Server;
use conformance::state::{get, json, set};

#[tokio::test]
#[ignore = "needs mariadb: run ./test components"]
async fn store() {
    let server = Server::mariadb().await;
    conformance::state::run(&open(&server)).await;
}

/// Many sidecars that start at the same time make the tables once.
#[tokio::test]
#[ignore = "needs mariadb: run ./test components"]
async fn many_at_once() {
    let server = Server::mariadb().await;
    let stores: Vec<_> = (0..8).map(|_| open(&server)).collect();
    let read = futures_util::future::join_all(stores.iter().map(|store| store.get(get("key")))).await;
    assert!(read.iter().all(|read| matches!(read, Ok(None))), "{read:?}");
}

/// A table of an older version of Dapr gets the columns that it lacks, and rows are those that Dapr's component writes.
#[tokio::test]
#[ignore = "needs mariadb: run ./test components"]
async fn rows_of_dapr() {
    let server = Server::mariadb().await;
    let binding = output(&server);
    exec(&binding, "CREATE DATABASE dapr_state_store").await;
    exec(
        &binding,
        "CREATE TABLE dapr_state_store.state (id VARCHAR(255) NOT NULL PRIMARY KEY, value JSON NOT NULL,
            isbinary BOOLEAN NOT NULL, insertDate TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
            updateDate TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, eTag VARCHAR(36) NOT NULL)",
    )
    .await;
    exec(
        &binding,
        r#"INSERT INTO dapr_state_store.state (id, value, isbinary, eTag) VALUES ('a', '"AQI="', 1, 'one')"#,
    )
    .await;
    let store = open(&server);
    let item = store.get(get("a")).await.unwrap().unwrap();
    assert_eq!((&item.data[..], item.etag.unwrap().0.as_str()), (&b"\x01\x02"[..], "one"));
    for (key, value) in [("b", Value::Json(r#"{"x": 1}"#.into())), ("c", Value::Binary(vec![1, 2].into()))] {
        store.set(set(key, value)).await.unwrap();
    }
    let select = "SELECT id, value, isbinary, LENGTH(eTag) AS letters, expiredate FROM dapr_state_store.state WHERE id <> 'a' ORDER BY id";
    let rows = query(&binding, select, "").await;
    let expected = r#"[{"id":"b","isbinary":0,"letters":36,"value":"{\"x\": 1}"},{"id":"c","isbinary":1,"letters":36,"value":"\"AQI=\""}]"#;
    assert_eq!(rows, expected);
}

#[tokio::test]
#[ignore = "needs mariadb: run ./test components"]
async fn outputs() {
    let server = Server::mariadb().await;
    let binding = output(&server);
    conformance::binding::run(&conformance::binding::Subject { binding: &binding, thing: Pairs::new() }).await;
    exec(&binding, "CREATE DATABASE d").await;
    exec(&binding, "CREATE TABLE d.t (a int, b varchar(20), c blob, d decimal(8,3), e timestamp(3) null, f date, g double, h boolean not null)").await;
    let insert = "INSERT INTO d.t VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let values = r#"[7, "text", "x", -12.5, "2026-01-02 03:04:05.12", "2026-01-02", 1.5, true]"#;
    let answer = sql(&binding, "exec", insert, values).await.unwrap();
    assert_eq!(answer.metadata.get("rows-affected").map(String::as_str), Some("1"));
    sql(&binding, "exec", insert, "[null, null, null, null, null, null, null, false]").await.unwrap();
    let rows = query(&binding, "SELECT * FROM d.t WHERE a = ? OR a IS NULL ORDER BY a DESC", "[7]").await;
    let expected = r#"[{"a":7,"b":"text","c":"eA==","d":"-12.500","e":"2026-01-02T03:04:05.12Z","f":"2026-01-02T00:00:00Z","g":1.5,"h":1},{"c":null,"h":0}]"#;
    assert_eq!(rows, expected);
    assert_eq!(query(&binding, "SELECT * FROM d.t WHERE a = 8", "").await, "null");
    let error = sql(&binding, "query", "SELECT nonsense", "").await.unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");
    sql(&binding, "close", "", "").await.unwrap();
    assert!(sql(&binding, "query", "SELECT 1", "").await.is_err(), "it is closed");
}

/// A store does not need its server when it is made, finds it later, and again after it was away.
#[tokio::test]
#[ignore = "needs mariadb: run ./test components"]
async fn lost_and_found() {
    let server = Server::mariadb().await;
    let store = open(&server);
    for _ in 0..2 {
        server.kill().await;
        let error = store.get(get("key")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        server.start().await;
        until_it_works(|| store.set(set("key", json("1")))).await;
    }
}

/// Neither errors nor debug output tell a password.
#[tokio::test]
#[ignore = "needs mariadb: run ./test components"]
async fn secrets() {
    let server = Server::mariadb().await;
    let text = format!("nobody:very-secret@tcp({})/", server.address());
    let store = MysqlStore::new(Metadata { connection_string: text.into(), ..Metadata::default() }).unwrap();
    let error = store.ping().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    assert!(!format!("{error} {error:?} {store:?}").contains("very-secret"));
}

fn open(server: &Server) -> MysqlStore {
    let text = format!("root@tcp({})/", server.address());
    MysqlStore::new(Metadata { connection_string: text.into(), ..Metadata::default() }).unwrap()
}

fn output(server: &Server) -> MysqlBinding {
    let url = format!("root@tcp({})/?time_zone='%2B00:00'", server.address());
    MysqlBinding::new(&binding::Metadata { url: url.into(), ..binding::Metadata::default() }).unwrap()
}

async fn exec(binding: &MysqlBinding, statement: &str) {
    sql(binding, "exec", statement, "").await.unwrap();
}

async fn query(binding: &MysqlBinding, statement: &str, parameters: &str) -> String {
    let data = sql(binding, "query", statement, parameters).await.unwrap().data.unwrap();
    String::from_utf8_lossy(&data).into_owned()
}
