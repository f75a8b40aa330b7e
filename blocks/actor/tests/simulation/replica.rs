//! A replica of the placement service: the real one, but for its network.
use crate::checks::Checks;
use crate::connection::Connection;
use crate::network::{Network, Node};
use control_placement::{Answer, Answers, Candidate, Lease, Place, Question, Service, Settings, Voters};
use foundation_drain::Drain;
use foundation_telemetry::Registry;
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, async_trait};
use wire::placement::v1::{Host, PlacementOrder};

const FACTOR: i64 = 8;

/// All replicas that run, by their place.
pub(crate) type Cluster = Arc<Mutex<BTreeMap<Place, Replica>>>;

/// A replica that runs.
#[derive(Clone)]
pub(crate) struct Replica {
    pub(crate) service: Service,
    pub(crate) candidate: Candidate,
    pub(crate) drain: Drain,
}

/// How a replica reaches the others.
struct Others {
    own: Place,
    cluster: Cluster,
    network: Network,
}

#[async_trait]
impl Voters for Others {
    async fn ask(&self, to: Place, question: Question) -> Option<Answer> {
        let (one, other) = (Node::Replica(self.own), Node::Replica(to));
        self.network.bring(one, other).await;
        let asked = self.cluster.lock().unwrap().get(&to).map(|replica| replica.candidate.clone())?;
        let answer = asked.asked(self.own, Question { at: Instant::now(), ..question });
        self.network.bring(other, one).await;
        Some(answer)
    }
}

impl Replica {
    /// Starts a replica, one of so many, which is in the cluster from then on. A round of it may take so long.
    pub(crate) fn start(
        own: Place,
        (replicas, timeout): (usize, Duration),
        seed: u64,
        (cluster, network): (&Cluster, &Network),
    ) {
        let drain = Drain::new();
        network.start(Node::Replica(own));
        let candidate = Candidate::new(own, replicas, seed);
        let registry = Registry::new().unwrap();
        let settings = Settings { replication_factor: FACTOR, timeout, coalesce: Duration::ZERO };
        let service = Service::new(settings, (&own.to_string(), candidate.lead()), &registry, &drain).unwrap();
        let others = Others { own, cluster: Arc::clone(cluster), network: network.clone() };
        let running = candidate.clone();
        drain.spawn_until_stopped(async move { running.run(&others).await });
        cluster.lock().unwrap().insert(own, Self { service, candidate, drain });
    }

    /// The process is gone at once.
    pub(crate) fn kill(own: Place, (cluster, network): (&Cluster, &Network)) {
        if let Some(replica) = cluster.lock().unwrap().remove(&own) {
            replica.drain.stop();
        }
        network.kill(Node::Replica(own));
    }

    /// The right to serve, if it has it.
    pub(crate) fn lease(&self) -> Option<Lease> {
        let lease = *self.candidate.lead().borrow();
        lease.filter(|lease| lease.until.is_none_or(|until| until > Instant::now()))
    }

    /// Serves a stream; says first whether it does.
    pub(crate) async fn serve(
        self,
        connection: Connection,
        reports: mpsc::Receiver<Host>,
        orders: mpsc::Sender<Result<PlacementOrder, Status>>,
        (begun, checks): (oneshot::Sender<Result<(), Status>>, Checks),
    ) {
        let served = self.service.serve(None, ReceiverStream::new(reports).map(Ok)).await;
        match served {
            Ok(answers) => {
                checks.joined(&connection);
                begun.send(Ok(())).ok();
                hand_on(answers, orders, &connection, &checks).await;
            }
            Err(status) => drop(begun.send(Err(status))),
        }
        connection.far.cancel();
    }
}

async fn hand_on(
    mut answers: Answers,
    orders: mpsc::Sender<Result<PlacementOrder, Status>>,
    connection: &Connection,
    checks: &Checks,
) {
    loop {
        let answer = tokio::select! {
            biased;
            () = connection.far.cancelled() => return,
            answer = answers.next() => answer,
        };
        let Some(answer) = answer else { return };
        if let Ok(order) = &answer {
            checks.ordered(connection, order);
        }
        if orders.send(answer).await.is_err() {
            return;
        }
    }
}
