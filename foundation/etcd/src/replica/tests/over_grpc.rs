//! Members that reach each other over gRPC.
use super::PATIENCE;
use crate::tests::{prefix, put, settings};
use crate::{Members, Store};
use foundation_drain::Drain;
use std::path::Path;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};
use wire::trilby::replication::v1::replication_client::ReplicationClient;
use wire::trilby::replication::v1::request::Call;
use wire::trilby::replication::v1::response::Answer;
use wire::trilby::replication::v1::{Empty, Refusal, Request};

async fn start(folder: &Path, names: &[String], own: usize, listener: TcpListener, drain: &Drain) -> Store {
    let members = Members::parse(names.iter().map(String::as_str), &own.to_string()).unwrap();
    let channel = |address: &str| Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let channels = members.others().map(|member| (member.id, channel(&member.address))).collect();
    let (store, peers) = Store::join(settings(folder), members, channels, drain).await.unwrap();
    let stopped = drain.token().cancelled_owned();
    let incoming = TcpListenerStream::new(listener);
    drain.spawn(async move {
        Server::builder().add_service(peers).serve_with_incoming_shutdown(incoming, stopped).await.unwrap();
    });
    store
}

#[tokio::test]
async fn members_reach_each_other_and_refuse_strangers() {
    let (folder, drain) = (tempfile::tempdir().unwrap(), Drain::new());
    let mut listeners = Vec::new();
    for _ in 0..3 {
        listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let name =
        |(number, listener): (usize, &TcpListener)| format!("{number}=http://{}", listener.local_addr().unwrap());
    let names: Vec<_> = listeners.iter().enumerate().map(name).collect();
    let mut stores = Vec::new();
    for (own, listener) in listeners.into_iter().enumerate() {
        let folder = folder.path().join(own.to_string());
        stores.push(start(&folder, &names, own, listener, &drain).await);
    }
    for (number, key) in ["a", "b", "c"].into_iter().enumerate() {
        let written = async { while stores[number].put(put(key, "1")).await.is_err() {} };
        timeout(PATIENCE, written).await.unwrap();
        let (id, _) = stores[number].lease_grant(0, 20).await.unwrap();
        assert_eq!(stores[(number + 1) % 3].lease_renew(id).await, Ok(Some(20)));
    }
    for store in &stores {
        assert_eq!(store.range(prefix("")).await.unwrap().kvs.len(), 3);
    }
    let address = names[0].split_once('=').unwrap().1.to_owned();
    let mut stranger = ReplicationClient::new(Endpoint::from_shared(address).unwrap().connect_lazy());
    let request = Request { cluster: 1, from: 1, to: 1, call: Some(Call::Standing(Empty {})) };
    let answer = stranger.exchange(request).await.unwrap().into_inner().answer;
    assert_eq!(answer, Some(Answer::Refusal(Refusal::Stranger.into())));
    drop((stores, stranger));
    assert!(drain.close(PATIENCE).await);
}
