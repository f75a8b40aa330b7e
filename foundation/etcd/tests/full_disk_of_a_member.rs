//! A member of a cluster whose disk has no space, as far as this process may write. It holds for the whole process, so that this test is
//! the only one in it.
use foundation_drain::Drain;
use foundation_etcd::{Members, Settings, Store};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::HashMap;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use wire::etcd::etcdserverpb::PutRequest;

const PATIENCE: Duration = Duration::from_secs(30);
/// Sent to who writes more than it may. Who hears it lives on, and the write fails.
const SIGXFSZ: i32 = 25;

#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_space_fails_with_a_reason() {
    let _heard = signal(SignalKind::from_raw(SIGXFSZ)).unwrap();
    let (folder, drain) = (tempfile::tempdir().unwrap(), Drain::new());
    let settings = Settings {
        folder: folder.path().to_owned(),
        quota: 1 << 40,
        most_operations: 128,
        history_bytes: 1 << 20,
        history_revisions: 1000,
    };
    let members = Members::parse(["one=http://127.0.0.1:1"], "one").unwrap();
    let (store, peers) = Store::join(settings, members, HashMap::new(), &drain).await.unwrap();
    let put = |length| PutRequest { key: "a".into(), value: vec![7; length].into(), ..PutRequest::default() };
    let written = async { while store.put(put(100)).await.is_err() {} };
    timeout(PATIENCE, written).await.unwrap();
    let Rlimit { maximum, .. } = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(4 << 20), maximum }).unwrap();
    store.put(put(16 << 20)).await.unwrap_err();
    timeout(PATIENCE, drain.stopped()).await.unwrap();
    let reason = drain.failure().unwrap_or_default();
    assert!(reason.contains(&folder.path().display().to_string()) && reason.contains("cannot go on"), "{reason}");
    drop((store, peers));
    assert!(drain.close(PATIENCE).await);
}
