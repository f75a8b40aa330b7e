//! The store as a server of etcd's API.
mod lease;
mod maintenance;
mod outlet;
mod records;
mod watching;

use crate::Store;
use foundation_drain::Drain;
use std::net::SocketAddr;
use std::time::Duration;
use tonic::transport::Server;
use tonic::transport::server::Router;
use wire::etcd::etcdserverpb::cluster_server::ClusterServer;
use wire::etcd::etcdserverpb::kv_server::KvServer;
use wire::etcd::etcdserverpb::lease_server::LeaseServer;
use wire::etcd::etcdserverpb::maintenance_server::MaintenanceServer;
use wire::etcd::etcdserverpb::watch_server::WatchServer;

/// Pause between pings of a silent client, and how long it may take to answer.
const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// What a server tells of itself.
#[derive(Clone)]
pub(crate) struct Served {
    store: Store,
    drain: Drain,
    name: String,
    address: String,
}

/// What serves the store on a port at an address, until the drain stops. `name` is that of the member.
pub fn routes(store: Store, name: &str, address: SocketAddr, drain: &Drain) -> Router {
    let served = Served { store, drain: drain.clone(), name: name.to_owned(), address: address.to_string() };
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(KvServer::new(served.clone()).max_decoding_message_size(usize::MAX))
        .add_service(WatchServer::new(served.clone()))
        .add_service(LeaseServer::new(served.clone()))
        .add_service(ClusterServer::new(served.clone()))
        .add_service(MaintenanceServer::new(served))
}
