//! A sidecar: the real actors, but for its network and its app.
use crate::app::App;
use crate::checks::Checks;
use crate::connection::{Connection, SIDECAR_NOTICES};
use crate::network::{Network, Node};
use crate::random::Random;
use crate::replica::Cluster;
use async_trait::async_trait;
use block_actor::{Host, Neighbours, Options, Orders, Replicas, Service, call_actor, call_actor_reminder};
use component_api::{Instance, Live, Properties, state};
use component_in_memory::InMemoryStore;
use foundation_app::Channel;
use foundation_drain::Drain;
use foundation_peer::Own;
use futures_util::StreamExt;
use http::HeaderMap;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use wire::internals::v1::{InternalInvokeRequest, InternalInvokeResponse, Reminder};
use wire::placement::v1::{Host as Report, PlacementOrder};

const PORT: u16 = 50002;
const QUEUE: usize = 64;

/// All sidecars that run, by their number.
pub(crate) type Sidecars = Arc<Mutex<BTreeMap<usize, Sidecar>>>;

/// A sidecar that runs.
#[derive(Clone)]
pub(crate) struct Sidecar {
    pub(crate) service: Arc<Service>,
    pub(crate) app: Arc<dyn Channel>,
    pub(crate) drain: Drain,
}

/// All there is.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) network: Network,
    pub(crate) random: Random,
    pub(crate) checks: Checks,
    pub(crate) cluster: Cluster,
    pub(crate) replicas: usize,
    /// How long a round may take.
    pub(crate) round: Duration,
    pub(crate) sidecars: Sidecars,
    /// How long sidecars wait for tables that were announced.
    pub(crate) timeout: Duration,
}

impl Sidecar {
    /// Starts a sidecar whose app hosts these types.
    pub(crate) async fn start(number: usize, types: &[&str], around: &Surroundings) {
        let drain = Drain::new();
        around.network.start(Node::Sidecar(number));
        let own = Own {
            app_id: "app".to_owned(),
            namespace: "default".to_owned(),
            address: format!("10.0.0.{number}"),
            host_name: String::new(),
            internal_port: PORT,
        };
        let network = Arc::new(Surface { number, around: around.clone(), drain: drain.clone() });
        let placement = Some(Arc::clone(&network) as Arc<dyn Replicas>);
        let options = Options { placement, dissemination_timeout: around.timeout, ..Options::default() };
        let stores = Live::default();
        stores.insert(store());
        let service = Arc::new(Service::with_neighbours(options, (&own, network), stores, &drain));
        let app: Arc<dyn Channel> = Arc::new(App::new(number, around));
        service.start().await;
        let sidecar = Self { service, app, drain };
        sidecar.host(types);
        around.sidecars.lock().unwrap().insert(number, sidecar);
    }

    /// The process is gone at once.
    pub(crate) fn kill(number: usize, around: &Surroundings) {
        if let Some(sidecar) = around.sidecars.lock().unwrap().remove(&number) {
            sidecar.drain.stop();
        }
        around.network.kill(Node::Sidecar(number));
    }

    /// The app says what it hosts.
    pub(crate) fn host(&self, types: &[&str]) {
        let document = json!({"entities": types, "actorIdleTimeout": "3s"});
        self.service.host(Some(&self.app), Some(document)).unwrap();
    }
}

fn store() -> Instance<dyn state::Store> {
    let properties = Properties::from_iter([("actorStateStore", "true")]);
    let [name, kind, version] = ["store", "state.test", "v1"].map(str::to_owned);
    Instance { name, kind, version, properties, component: Arc::new(InMemoryStore::new()) }
}

/// The network as one sidecar sees it.
struct Surface {
    number: usize,
    around: Surroundings,
    drain: Drain,
}

#[async_trait]
impl Replicas for Surface {
    async fn open(&self, turn: usize, reports: mpsc::Receiver<Report>) -> Result<(String, Orders), String> {
        let place = turn % self.around.replicas;
        let (own, other) = (Node::Sidecar(self.number), Node::Replica(place));
        let network = &self.around.network;
        let process = network.connect(own, other).await?;
        let replica = self.around.cluster.lock().unwrap().get(&place).cloned().ok_or("connection refused")?;
        let own_process = network.process(own).ok_or("gone")?;
        let connection = Connection::new([own, other], [own_process, process], network, self.around.timeout);
        let (reported, arrived) = mpsc::channel(QUEUE);
        let (orders, ordered) = mpsc::channel(QUEUE);
        let (sent, received) = mpsc::channel(QUEUE);
        let (begun, begins) = oneshot::channel();
        self.own(&connection, move |connection| async move {
            connection.supervise().await;
        });
        let checks = self.around.checks.clone();
        self.own(&connection, move |connection| async move {
            let far = connection.far.clone();
            connection.carry((reports, reported), &far, |report| checks.answered(&connection, report)).await;
        });
        self.own(&connection, move |connection| async move {
            let near = connection.near.clone();
            connection.carry((ordered, sent), &near, |_| ()).await;
        });
        let (served, checks) = (connection.clone(), self.around.checks.clone());
        replica.drain.clone().spawn_until_stopped(async move {
            replica.serve(served, arrived, orders, (begun, checks)).await;
        });
        let end = connection.near.clone().drop_guard();
        let begins = tokio::select! {
            biased;
            () = connection.near.cancelled() => return Err("the connection broke".to_owned()),
            begins = begins => begins.map_err(|_| "the connection broke".to_owned())?,
        };
        network.bring(other, own).await;
        begins.map_err(|status| status.message().to_owned())?;
        let checks = self.around.checks.clone();
        let orders = ReceiverStream::new(received).map(move |order: Result<PlacementOrder, Status>| {
            let _end = &end;
            order.iter().for_each(|order| checks.taken(&connection, order));
            order
        });
        Ok((place.to_string(), orders.boxed()))
    }

    fn pause(&self) -> Duration {
        self.around.random.millis(250, 750)
    }
}

impl Surface {
    /// A task of the network itself.
    fn own<F>(&self, connection: &Connection, task: impl FnOnce(Connection) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.around.checks.tasks().spawn_until_stopped(task(connection.clone()));
    }

    /// Reaches another sidecar.
    async fn reach(&self, host: &Host) -> Result<There, Status> {
        let number: usize = host.name.trim_start_matches("10.0.0.").split(':').next().unwrap().parse().unwrap();
        let (own, other) = (Node::Sidecar(self.number), Node::Sidecar(number));
        let process = self.around.network.connect(own, other).await.map_err(Status::unavailable)?;
        let there = self.around.sidecars.lock().unwrap().get(&number).cloned();
        let there = there.ok_or_else(|| Status::unavailable("connection refused"))?;
        Ok(There { service: there.service, process, number })
    }

    /// Does something there as long as both are there, and brings the answer back over an open link.
    async fn visit<T>(&self, there: &There, work: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        let (own, other) = (Node::Sidecar(self.number), Node::Sidecar(there.number));
        let answer = tokio::select! {
            biased;
            () = there.process.cancelled() => return Err(Status::unavailable("connection reset")),
            () = self.drain.stopped() => return Err(Status::unavailable("gone")),
            answer = self.around.checks.caller(work) => answer,
        };
        let back = tokio::time::timeout(SIDECAR_NOTICES, self.around.network.bring(other, own)).await;
        back.map_err(|_| Status::unavailable("connection timed out"))?;
        answer
    }
}

/// A sidecar that was reached.
struct There {
    service: Arc<Service>,
    process: CancellationToken,
    number: usize,
}

#[async_trait]
impl Neighbours for Surface {
    async fn call(
        &self,
        host: &Host,
        request: &InternalInvokeRequest,
        _: &HeaderMap,
    ) -> Result<InternalInvokeResponse, Status> {
        let there = self.reach(host).await?;
        self.visit(&there, call_actor(&there.service, request.clone())).await
    }

    async fn tick(&self, host: &Host, reminder: &Reminder) -> Result<(), Status> {
        let there = self.reach(host).await?;
        self.visit(&there, call_actor_reminder(&there.service, reminder.clone())).await
    }
}
