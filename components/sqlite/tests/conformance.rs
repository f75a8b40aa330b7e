//! The common suite over the components of this crate.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
use component_api::pubsub::Broker;
use component_sqlite::pubsub::{ConcurrencyMode, Metadata, SqliteBroker};
use component_sqlite::state::{self, SqliteStore};
use conformance::pubsub::Subject;
use std::path::PathBuf;
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
            SqliteStore::open(state::Metadata { connection_string, ..state::Metadata::default() }).await.unwrap();
        conformance::state::run(&store).await;
    }
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
    Subject { open: Box::new(open), ordered, shared: true, redelivers: true }
}
