//! A disk without space, as far as this process may write: a bound on the length of its files. It holds for the whole process, so
//! that this test is the only one in it.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
use foundation_drain::Drain;
use foundation_etcd::{Settings, Store};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::Path;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};
use wire::etcd::etcdserverpb::{PutRequest, RangeRequest};

const PATIENCE: Duration = Duration::from_secs(20);
/// Sent to who writes more than it may. Who hears it lives on, and the write fails.
const SIGXFSZ: i32 = 25;

fn settings(folder: &Path) -> Settings {
    Settings {
        folder: folder.to_owned(),
        quota: 1 << 40,
        most_operations: 128,
        history_bytes: 1 << 20,
        history_revisions: 1000,
    }
}

fn allow_files_of(bytes: Option<u64>) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
}

fn put(key: &'static str, length: usize) -> PutRequest {
    PutRequest { key: key.into(), value: vec![7; length].into(), ..PutRequest::default() }
}

fn get(key: &'static str) -> RangeRequest {
    RangeRequest { key: key.into(), ..RangeRequest::default() }
}

/// Reads until a record can be read.
async fn read(store: &Store, key: &'static str) -> i64 {
    let read = async {
        loop {
            match store.range(get(key)).await {
                Ok(found) => return found.count,
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    };
    timeout(PATIENCE, read).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_goes_on_after_a_write_that_failed_though_nobody_writes() {
    let _heard = signal(SignalKind::from_raw(SIGXFSZ)).unwrap();
    let (folder, drain) = (tempfile::tempdir().unwrap(), Drain::new());
    let (store, file) = (Store::open(settings(folder.path()), &drain).await.unwrap(), folder.path().join("store.redb"));
    store.put(put("a", 100)).await.unwrap();
    allow_files_of(Some(std::fs::metadata(&file).unwrap().len()));
    let refused = store.put(put("b", 8 << 20)).await.unwrap_err().to_string();
    assert!(refused.contains("the database file cannot be used"), "{refused}");
    assert_eq!((read(&store, "a").await, read(&store, "b").await), (1, 0), "it is full");
    store.put(put("c", 100)).await.unwrap();

    // It cannot be opened again for a while either.
    let away = folder.path().join("away");
    std::fs::rename(&file, &away).unwrap();
    store.put(put("b", 8 << 20)).await.unwrap_err();
    sleep(Duration::from_millis(300)).await;
    store.range(get("a")).await.unwrap_err();
    std::fs::rename(&away, &file).unwrap();
    assert_eq!((read(&store, "a").await, read(&store, "b").await, read(&store, "c").await), (1, 0, 1));

    allow_files_of(None);
    store.put(put("b", 8 << 20)).await.unwrap();
    assert_eq!(read(&store, "b").await, 1);
    drop(store);
    assert!(drain.close(PATIENCE).await);
}
