//! The common suite over the components of this crate, each test with a server of its own.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod tls;

use component_api::configuration::{Item, Items, Notify, Store as _};
use component_api::state::Store;
use component_api::{Kind, Metadata as Pairs};
use component_postgres::binding::PostgresBinding;
use component_postgres::configuration::{self, PostgresConfiguration};
use component_postgres::metadata::ConnectionMetadata;
use component_postgres::state::{Dialect, MetadataV1, MetadataV2, PostgresStore};
use conformance::binding::sql;
use conformance::patience::{until_it_works, within};
use conformance::server::Server;
use conformance::state::get;
use std::sync::Arc;

#[tokio::test]
#[ignore = "needs postgresql: run ./test components"]
async fn stores() {
    let server = Server::postgres().await;
    conformance::state::run(&first(&server, Dialect::Xmin, "state")).await;
    let metadata =
        MetadataV2 { connection: connection(&server), table_prefix: "b_".to_owned(), ..MetadataV2::default() };
    conformance::state::run(&PostgresStore::new_v2(metadata).unwrap()).await;
}

/// CockroachDB's statements, on a PostgreSQL that has the one function of CockroachDB's that they need.
#[tokio::test]
#[ignore = "needs postgresql: run ./test components"]
async fn cockroach() {
    let server = Server::postgres().await;
    let function = "CREATE SEQUENCE ids; CREATE FUNCTION unique_rowid() RETURNS bigint LANGUAGE SQL AS $$ SELECT nextval('ids') $$";
    exec(&binding(&server), "CREATE SEQUENCE ids").await;
    exec(&binding(&server), function.split_once("; ").unwrap().1).await;
    conformance::state::run(&first(&server, Dialect::Counter, "state")).await;
}

/// Many sidecars that start at the same time make the tables once.
#[tokio::test]
#[ignore = "needs postgresql: run ./test components"]
async fn many_at_once() {
    let server = Server::postgres().await;
    let stores: Vec<_> = (0..8).map(|_| first(&server, Dialect::Xmin, "together")).collect();
    let read = futures_util::future::join_all(stores.iter().map(|store| store.get(get("key")))).await;
    assert!(read.iter().all(|read| matches!(read, Ok(None))), "{read:?}");
}

/// Another connection writes, as another program would.
#[tokio::test]
#[ignore = "needs postgresql: run ./test components"]
async fn items() {
    let server = Server::postgres().await;
    let writer = Arc::new(binding(&server));
    make_settings(&writer).await;
    let metadata = configuration::Metadata {
        connection: connection(&server),
        table: "settings".to_owned(),
        notify_channel: "changes".to_owned(),
    };
    let store = Arc::new(PostgresConfiguration::new(metadata).unwrap());
    let update = move |key: String, item: Option<Item>| {
        let writer = Arc::clone(&writer);
        Box::pin(async move { write(&writer, &key, item).await }) as _
    };
    let subject = conformance::configuration::Subject {
        store,
        update: Box::new(update),
        versions: true,
        deletions_tell_the_item: true,
    };
    conformance::configuration::run(&subject).await;
}

#[tokio::test]
#[ignore = "needs postgresql: run ./test components"]
async fn output() {
    let server = Server::postgres().await;
    let binding = binding(&server);
    conformance::binding::run(&conformance::binding::Subject { binding: &binding, thing: Pairs::new() }).await;
    exec(&binding, "CREATE TABLE t (a int, b text, c jsonb, d numeric(8,3), e timestamptz, f boolean, g float8)").await;
    let insert = "INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = r#"[7, "text", {"x": [1]}, -12.5, "2026-01-02T03:04:05Z", true, 1.5]"#;
    let answer = sql(&binding, "exec", insert, values).await.unwrap();
    assert_eq!(answer.metadata.get("rows-affected").map(String::as_str), Some("1"));
    sql(&binding, "exec", insert, "[null, null, null, null, null, null, null]").await.unwrap();
    let answer = sql(&binding, "query", "SELECT * FROM t WHERE a = $1 OR a IS NULL ORDER BY a", "[7]").await.unwrap();
    let expected =
        r#"[[7,"text",{"x":[1]},-12.500,"2026-01-02T03:04:05Z",true,1.5],[null,null,null,null,null,null,null]]"#;
    assert_eq!(answer.data.as_deref().map(String::from_utf8_lossy).as_deref(), Some(expected));
    let error = sql(&binding, "query", "SELECT nonsense", "").await.unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");
    sql(&binding, "close", "", "").await.unwrap();
    assert!(sql(&binding, "query", "SELECT 1", "").await.is_err(), "it is closed");
}

/// A store does not need its server when it is made, finds it later, and again after it was away.
#[tokio::test]
#[ignore = "needs postgresql: run ./test components"]
async fn lost_and_found() {
    let server = Server::postgres().await;
    let store = first(&server, Dialect::Xmin, "state");
    for _ in 0..2 {
        server.kill().await;
        let error = store.get(get("key")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        server.start().await;
        until_it_works(|| store.get(get("key"))).await;
    }
}

/// A subscription to a configuration goes on after the server was away, and then tells what it missed.
#[tokio::test]
#[ignore = "needs postgresql: run ./test components"]
async fn a_subscription_outlives_the_server() {
    let server = Server::postgres().await;
    make_settings(&binding(&server)).await;
    let metadata = configuration::Metadata {
        connection: connection(&server),
        table: "settings".to_owned(),
        notify_channel: "changes".to_owned(),
    };
    let store = PostgresConfiguration::new(metadata).unwrap();
    let (sender, mut inbox) = tokio::sync::mpsc::unbounded_channel();
    let _subscription = store.subscribe(Vec::new(), Pairs::new(), Arc::new(Inbox(sender))).await.unwrap();
    for value in ["1", "2"] {
        server.kill().await;
        server.start().await;
        let writer = binding(&server);
        until_it_works(|| sql(&writer, "exec", "DELETE FROM settings", "")).await;
        within(write(&writer, "key", Some(Item { value: value.to_owned(), ..Item::default() }))).await;
        let told = async { while inbox.recv().await.is_some_and(|items| items["key"].value != value) {} };
        within(told).await;
    }
}

struct Inbox(tokio::sync::mpsc::UnboundedSender<Items>);

#[async_trait::async_trait]
impl Notify for Inbox {
    async fn changed(&self, items: Items) {
        self.0.send(items).ok();
    }
}

/// Neither errors nor debug output tell a password.
#[tokio::test]
#[ignore = "needs postgresql: run ./test components"]
async fn secrets() {
    let server = Server::postgres().await;
    let text = format!("postgres://nobody:very-secret@{}/trilby", server.address());
    let metadata = ConnectionMetadata { connection_string: text.into(), ..ConnectionMetadata::default() };
    let store =
        PostgresStore::new_v1(MetadataV1 { connection: metadata, ..MetadataV1::default() }, Dialect::Xmin).unwrap();
    let error = store.get(get("key")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    assert!(!format!("{error} {error:?} {store:?}").contains("very-secret"));
}

fn first(server: &Server, dialect: Dialect, table: &str) -> PostgresStore {
    let metadata = MetadataV1 { connection: connection(server), table_name: table.to_owned(), ..MetadataV1::default() };
    PostgresStore::new_v1(metadata, dialect).unwrap()
}

fn connection(server: &Server) -> ConnectionMetadata {
    let address = server.address();
    let text = format!("host={} port={} user=trilby database=trilby", address.ip(), address.port());
    ConnectionMetadata { connection_string: text.into(), ..ConnectionMetadata::default() }
}

fn binding(server: &Server) -> PostgresBinding {
    PostgresBinding::new(&connection(server)).unwrap()
}

async fn exec(binding: &PostgresBinding, statement: &str) {
    sql(binding, "exec", statement, "").await.unwrap();
}

/// The table, with the trigger of Dapr's documentation.
async fn make_settings(writer: &PostgresBinding) {
    exec(writer, "CREATE TABLE settings (key text, value text, version text, metadata json)").await;
    exec(
        writer,
        "CREATE FUNCTION tell() RETURNS trigger AS $$ BEGIN
            PERFORM pg_notify('changes', json_build_object('table', TG_TABLE_NAME, 'action', TG_OP,
                'data', row_to_json(COALESCE(NEW, OLD)))::text);
            RETURN NULL;
        END; $$ LANGUAGE plpgsql",
    )
    .await;
    exec(
        writer,
        "CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE ON settings FOR EACH ROW EXECUTE FUNCTION tell()",
    )
    .await;
}

async fn write(binding: &PostgresBinding, key: &str, item: Option<Item>) {
    let Some(item) = item else {
        let parameters = serde_json::json!([key]).to_string();
        sql(binding, "exec", "DELETE FROM settings WHERE key = $1", &parameters).await.unwrap();
        return;
    };
    let parameters = serde_json::json!([key, item.value, item.version]).to_string();
    let update = "UPDATE settings SET value = $2, version = $3 WHERE key = $1";
    let updated = sql(binding, "exec", update, &parameters).await.unwrap();
    if updated.metadata.get("rows-affected").map(String::as_str) == Some("0") {
        let insert = "INSERT INTO settings (key, value, version) VALUES ($1, $2, $3)";
        sql(binding, "exec", insert, &parameters).await.unwrap();
    }
}
