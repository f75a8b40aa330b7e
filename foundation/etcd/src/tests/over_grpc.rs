//! The store behind its port, through the client for servers elsewhere.
use super::{PATIENCE, World, put};
use crate::{Client, Error, Remote, RemoteSettings, routes};
use std::collections::BTreeMap;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Endpoint;
use wire::etcd::etcdserverpb::maintenance_client::MaintenanceClient;
use wire::etcd::etcdserverpb::watch_client::WatchClient;
use wire::etcd::etcdserverpb::watch_request::RequestUnion;
use wire::etcd::etcdserverpb::{
    AlarmRequest, PutRequest, RangeRequest, StatusRequest, TxnRequest, WatchCreateRequest, WatchRequest,
};

/// A client whose first endpoint nobody listens on.
pub(super) async fn served(world: &World) -> (Client, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = routes(world.store.clone(), "one", address, &world.drain);
    let stopped = world.drain.token().cancelled_owned();
    world.drain.spawn(async move {
        routes.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopped).await.unwrap();
    });
    let address = address.to_string();
    let endpoints = vec!["127.0.0.1:1".to_owned(), address.clone()];
    let settings = RemoteSettings { endpoints, username: String::new(), password: String::new() };
    (Client::Remote(Remote::new(settings).unwrap()), address)
}

fn all() -> RangeRequest {
    RangeRequest { key: vec![0].into(), range_end: vec![0].into(), ..RangeRequest::default() }
}

#[tokio::test]
async fn records_watches_and_leases_work_from_afar() {
    let world = World::new().await;
    let (client, _) = served(&world).await;
    assert_eq!(client.range(all()).await.unwrap().count, 0);
    let mut watching = client.watch("jobs/", 2).await.unwrap();
    world.put("jobs/a", "1").await;
    let seen = timeout(PATIENCE, watching.next()).await.unwrap().unwrap();
    assert_eq!((seen.events.len(), seen.revision), (1, 2));
    assert!(seen.events[0].prev_kv.is_none());
    let lease = client.lease_grant(20).await.unwrap();
    assert_eq!(client.lease_renew(lease).await, Ok(Some(20)));
    client.lease_revoke(lease).await.unwrap();
    assert_eq!(client.lease_renew(lease).await, Ok(None));
    let transaction = TxnRequest {
        success: vec![super::operation(super::Request::RequestPut(put("b", "1")))],
        ..TxnRequest::default()
    };
    assert_eq!(client.txn(transaction).await.unwrap().header.unwrap().revision, 3);
}

#[tokio::test]
async fn a_watch_that_is_too_late_is_told_so() {
    let world = World::new().await;
    let (client, _) = served(&world).await;
    client.range(all()).await.unwrap();
    world.put("jobs/a", "1").await;
    world.store.compact(2).await.unwrap();
    let mut watching = client.watch("jobs/", 2).await.unwrap();
    assert_eq!(timeout(PATIENCE, watching.next()).await.unwrap(), Err(Error::Compacted));
}

#[tokio::test]
async fn tools_see_how_the_store_is() {
    let world = World::with(|settings| settings.quota = 10).await;
    let (_, address) = served(&world).await;
    let mut client = MaintenanceClient::new(Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy());
    assert!(world.store.put(put("a", "x")).await.is_err());
    let status = client.status(StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.errors.len(), status.raft_index), (1, 1));
    assert!(status.db_size > 0);
    let alarms = client.alarm(AlarmRequest::default()).await.unwrap().into_inner().alarms;
    assert_eq!(alarms.len(), 1);
    let quench = AlarmRequest { action: 2, member_id: alarms[0].member_id, alarm: alarms[0].alarm };
    client.alarm(quench).await.unwrap();
    assert!(!world.store.has_alarm());
}

/// Asks for a watch of all keys from the first revision on.
fn create() -> WatchRequest {
    let (key, range_end) = (vec![0].into(), vec![0].into());
    let create = WatchCreateRequest { key, range_end, start_revision: 2, ..WatchCreateRequest::default() };
    WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) }
}

#[tokio::test]
async fn a_stream_that_is_read_late_has_all_changes_and_not_any_number_of_watches() {
    const RECORDS: i64 = 40;
    let world = World::new().await;
    let (_, address) = served(&world).await;
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let (requests, received) = mpsc::channel(8);
    let mut answers = WatchClient::new(channel).watch(ReceiverStream::new(received)).await.unwrap().into_inner();
    for _ in 0..3 {
        requests.send(create()).await.unwrap();
        assert!(answers.message().await.unwrap().unwrap().created);
    }
    requests.send(create()).await.unwrap();
    let refused = answers.message().await.unwrap().unwrap();
    assert!(refused.canceled && refused.cancel_reason.contains("too many watches"), "{refused:?}");
    for number in 0..RECORDS {
        let (key, value) = (format!("key-{number:02}").into(), vec![7; 100_000].into());
        world.store.put(PutRequest { key, value, ..PutRequest::default() }).await.unwrap();
    }
    let mut seen = BTreeMap::<i64, Vec<i64>>::new();
    let all = async {
        while seen.values().map(Vec::len).sum::<usize>() < 3 * usize::try_from(RECORDS).unwrap() {
            let answer = answers.message().await.unwrap().unwrap();
            let revisions = answer.events.iter().map(|event| event.kv.as_ref().unwrap().mod_revision);
            seen.entry(answer.watch_id).or_default().extend(revisions);
        }
    };
    timeout(PATIENCE, all).await.unwrap();
    let expected: Vec<_> = (2..RECORDS + 2).collect();
    assert!(seen.len() == 3 && seen.values().all(|revisions| *revisions == expected), "{seen:?}");
    drop((answers, requests));
    assert!(world.drain.close(PATIENCE).await);
}
