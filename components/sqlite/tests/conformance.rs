//! The common suite over the components of this crate.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
use component_api::configuration::Item;
use component_api::pubsub::Broker;
use component_sqlite::ConnectionMetadata;
use component_sqlite::configuration::{self, SqliteConfiguration};
use component_sqlite::lock::{self, SqliteLocks};
use component_sqlite::pubsub::{ConcurrencyMode, Metadata, SqliteBroker};
use component_sqlite::state::{self, SqliteStore};
use conformance::pubsub::Subject;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn broker() {
    let folder = tempfile::tempdir().unwrap();
    conformance::pubsub::run(&subject(folder.path().join("single.db"), ConcurrencyMode::Single)).await;
    conformance::pubsub::run(&subject(folder.path().join("parallel.db"), ConcurrencyMode::Parallel)).await;
}

#[tokio::test]
async fn store() {
    let folder = tempfile::tempdir().unwrap();
    for connection_string in [":memory:".to_owned(), folder.path().join("state.db").to_string_lossy().into_owned()] {
        let store =
            SqliteStore::open(state::Metadata { connection: at(connection_string), ..state::Metadata::default() })
                .await
                .unwrap();
        conformance::state::run(&store).await;
    }
}

#[tokio::test]
async fn locks() {
    let folder = tempfile::tempdir().unwrap();
    let open = || async {
        let connection_string = text(&folder.path().join("locks.db"));
        SqliteLocks::open(lock::Metadata { connection: at(connection_string), ..lock::Metadata::default() })
            .await
            .unwrap()
    };
    conformance::lock::run(&[&open().await, &open().await]).await;
}

/// Another connection writes, as another process would.
#[tokio::test]
async fn items() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("configuration.db");
    let metadata = configuration::Metadata { connection: at(text(&path)), ..configuration::Metadata::default() };
    let store = Arc::new(SqliteConfiguration::open(metadata).await.unwrap());
    let update = move |key: String, item: Option<Item>| {
        let writer = Connection::open(&path).unwrap();
        writer.busy_timeout(Duration::from_secs(10)).unwrap();
        write(&writer, &key, item);
        Box::pin(async {}) as _
    };
    let subject = conformance::configuration::Subject {
        store,
        update: Box::new(update),
        versions: true,
        deletions_tell_the_item: false,
    };
    conformance::configuration::run(&subject).await;
}

fn write(writer: &Connection, key: &str, item: Option<Item>) {
    let done = match item {
        None => writer.execute("DELETE FROM configuration WHERE key = ?", [key]),
        Some(item) => {
            let replace = "REPLACE INTO configuration (key, value, version) VALUES (?, ?, ?)";
            writer.execute(replace, [key, &item.value, &item.version])
        }
    };
    done.unwrap();
}

fn at(connection_string: String) -> ConnectionMetadata {
    ConnectionMetadata { connection_string, ..ConnectionMetadata::default() }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn subject(path: PathBuf, concurrency_mode: ConcurrencyMode) -> Subject {
    let open = move |app_id: &str| {
        let metadata = Metadata {
            connection_string: path.to_string_lossy().into_owned(),
            consumer_id: app_id.to_owned(),
            redeliver_interval: Duration::from_millis(1).into(),
            concurrency_mode,
            ..Metadata::default()
        };
        Box::pin(async move { Arc::new(SqliteBroker::open(metadata).await.unwrap()) as Arc<dyn Broker> }) as _
    };
    let ordered = concurrency_mode == ConcurrencyMode::Single;
    Subject {
        open: Box::new(open),
        ordered,
        shared: true,
        redelivers: true,
        keeps: true,
        carries_metadata: true,
        pattern: ("", ""),
    }
}
