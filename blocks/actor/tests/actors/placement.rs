//! A placement service of one process, with all hosts in one namespace.
use foundation_drain::Drain;
use futures_util::{Stream, StreamExt};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming, async_trait};
use wire::placement::v1::placement_server::{Placement as Api, PlacementServer};
use wire::placement::v1::{Host, HostOperation, PlacementOrder, PlacementTable, PlacementTables};

/// Points of each host.
const FACTOR: i64 = 50;

/// A placement service.
#[derive(Clone)]
pub(crate) struct Placement {
    pub address: String,
    state: Arc<Mutex<State>>,
    reported: watch::Sender<u64>,
    drain: Drain,
}

#[derive(Default)]
struct State {
    version: u64,
    streams: BTreeMap<u64, (Host, mpsc::Sender<Result<PlacementOrder, Status>>)>,
}

impl Placement {
    /// Serves at this port, 0 for any.
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (state, reported) = (Arc::default(), watch::Sender::new(0));
        let placement = Self { address, state, reported, drain: Drain::new() };
        let service = PlacementServer::new(placement.clone());
        let incoming = TcpListenerStream::new(listener);
        placement.drain.spawn_until_stopped(async move {
            Server::builder().add_service(service).serve_with_incoming(incoming).await.ok();
        });
        placement
    }

    /// Where it serves, for another one in its place.
    pub(crate) fn port(&self) -> u16 {
        self.address.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Ends the service and all streams.
    pub(crate) async fn stop(&self) {
        self.state.lock().unwrap().streams.clear();
        self.drain.close(std::time::Duration::from_secs(5)).await;
    }

    /// Takes all sidecars through a round as soon as so many are there, and waits for its end.
    pub(crate) async fn round(&self, hosts: usize) {
        let count = |_: &u64| self.state.lock().unwrap().streams.len() >= hosts;
        self.reported.subscribe().wait_for(count).await.unwrap();
        for operation in ["lock", "update", "unlock"] {
            self.order(operation).await;
        }
    }

    /// One order to all, answered by all.
    pub(crate) async fn order(&self, operation: &str) {
        let mut answered = self.reported.subscribe();
        let (order, senders) = {
            let mut state = self.state.lock().unwrap();
            state.version += u64::from(operation == "lock");
            for (host, _) in state.streams.values_mut() {
                host.operation = HostOperation::Unknown.into();
            }
            let order = PlacementOrder {
                tables: Some(state.tables()),
                operation: operation.to_owned(),
                version: state.version,
            };
            (order, state.streams.values().map(|(_, orders)| orders.clone()).collect::<Vec<_>>())
        };
        for orders in senders {
            orders.send(Ok(order.clone())).await.ok();
        }
        let wanted = HostOperation::from_str_name(&operation.to_uppercase()).unwrap();
        let all = |_: &u64| self.state.lock().unwrap().streams.values().all(|(host, _)| host.operation() == wanted);
        answered.wait_for(all).await.unwrap();
    }

    fn note(&self, stream: u64, report: Host) {
        if let Some((host, _)) = self.state.lock().unwrap().streams.get_mut(&stream) {
            match report.operation() {
                HostOperation::Report => *host = report,
                operation => {
                    assert_eq!(report.version.unwrap_or_default() > 0, operation != HostOperation::Report);
                    host.operation = operation.into();
                }
            }
        }
        self.reported.send_modify(|count| *count += 1);
    }

    /// Waits until a sidecar says that it hosts this type, or none does any more.
    pub(crate) async fn until_hosted(&self, actor_type: &str, hosted: bool) {
        let is_so = |_: &u64| {
            let state = self.state.lock().unwrap();
            state.streams.values().any(|(host, _)| host.entities.iter().any(|name| name == actor_type)) == hosted
        };
        self.reported.subscribe().wait_for(is_so).await.unwrap();
    }
}

impl State {
    fn tables(&self) -> PlacementTables {
        let mut entries: BTreeMap<String, PlacementTable> = BTreeMap::new();
        for (host, _) in self.streams.values() {
            for entity in &host.entities {
                entries.entry(entity.clone()).or_default().load_map.insert(host.name.clone(), host.clone());
            }
        }
        let (entries, version) = (entries.into_iter().collect(), self.version.to_string());
        PlacementTables { entries, version, replication_factor: FACTOR, ..PlacementTables::default() }
    }
}

#[async_trait]
impl Api for Placement {
    type ReportDaprStatusStream = Pin<Box<dyn Stream<Item = Result<PlacementOrder, Status>> + Send>>;

    async fn report_dapr_status(
        &self,
        request: Request<Streaming<Host>>,
    ) -> Result<Response<Self::ReportDaprStatusStream>, Status> {
        let mut reports = request.into_inner();
        let first = reports.message().await?.unwrap();
        assert_eq!((first.operation(), first.version, first.api_level), (HostOperation::Report, None, 20));
        let (orders, received) = mpsc::channel(16);
        let stream = self.reported.borrow().wrapping_add(1);
        self.state.lock().unwrap().streams.insert(stream, (first, orders));
        self.reported.send_modify(|count| *count += 1);
        let placement = self.clone();
        self.drain.spawn_until_stopped(async move {
            while let Some(Ok(report)) = reports.next().await {
                placement.note(stream, report);
            }
            placement.state.lock().unwrap().streams.remove(&stream);
            placement.reported.send_modify(|count| *count += 1);
        });
        Ok(Response::new(ReceiverStream::new(received).boxed()))
    }
}
