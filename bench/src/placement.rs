//! A process of the placement service, and what it takes to tell a thousand hosts of one more.
use crate::client::Call;
use crate::extremes::Figure;
use crate::process::{Process, free_port};
use anyhow::Context;
use bytes::Bytes;
use foundation_drain::Drain;
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use http::uri::PathAndQuery;
use prost::Message;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Streaming};
use tonic_prost::ProstCodec;
use wire::placement::v1::{Host, HostOperation};

const HOSTS: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(60);
/// After a round, until memory is looked at.
const REST: Duration = Duration::from_secs(10);
const MEBIBYTE: f64 = 1024.0 * 1024.0;
const REPORT: &str = "/dapr.proto.placement.v1.Placement/ReportDaprStatus";

/// An order whose tables are not looked at: a thousand hosts here share one core, and reading a million entries would be all that is
/// measured.
#[derive(Clone, PartialEq, Message)]
struct Order {
    #[prost(bytes = "bytes", optional, tag = "1")]
    tables: Option<Bytes>,
    #[prost(string, tag = "2")]
    operation: String,
    #[prost(uint64, tag = "3")]
    version: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Tables {
    /// One for each actor type, of which there is one only.
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(message, optional, tag = "2")]
    table: Option<Table>,
}

#[derive(Clone, PartialEq, Message)]
struct Table {
    #[prost(bytes = "bytes", repeated, tag = "3")]
    hosts: Vec<Bytes>,
}

impl Tables {
    /// How many hosts are in the tables, if there are any.
    fn hosts(&self) -> Option<usize> {
        Some(self.entries.first()?.table.as_ref()?.hosts.len())
    }
}

/// How many hosts are in the tables of the newest version, which are the same for all. The first host that gets them looks.
#[derive(Clone, Default)]
struct Known(Arc<Mutex<(u64, usize)>>);

impl Known {
    fn look(&self, order: &Order) -> Option<usize> {
        let tables = order.tables.as_ref().filter(|_| order.operation == "update")?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != order.version {
            *known = (order.version, Tables::decode(tables.clone()).ok()?.hosts()?);
        }
        Some(known.1)
    }
}

/// A running placement service.
pub(crate) struct Placement {
    process: Process,
    port: u16,
}

impl Placement {
    pub(crate) async fn start(path: &Path, drain: &Drain) -> anyhow::Result<Self> {
        let (port, health) = (free_port()?, free_port()?);
        let mut command = Command::new(path);
        let cluster = format!("--initial-cluster=p=127.0.0.1:{}", free_port()?);
        command.args(["--id=p", "--listen-address=127.0.0.1", "--log-level=error", &cluster]);
        // A thousand hosts of one client are slow to answer pings while they come.
        command.args(["--keepalive-time=10s", "--keepalive-timeout=10s"]);
        for (name, port) in [("port", port), ("healthz-port", health), ("metrics-port", free_port()?)] {
            command.arg(format!("--{name}={port}"));
        }
        let mut process = Process::start(command)?;
        process.wait_until_ready(health, &Call::control_plane_health(), drain).await?;
        Ok(Self { process, port })
    }

    /// Lets a sidecar use it.
    pub(crate) fn flags(&self) -> [String; 1] {
        [format!("--placement-host-address=127.0.0.1:{}", self.port)]
    }
}

/// Hosts that answer each order at once; each tells when it has been through a round.
pub(crate) async fn run(path: &Path, drain: &Drain) -> anyhow::Result<Vec<Figure>> {
    let placement = Placement::start(path, drain).await?;
    let (done, mut through) = mpsc::channel(HOSTS * 4);
    let known = Known::default();
    // All at once: else each would have a round of its own.
    try_join_all((0..HOSTS).map(|number| join(&placement, number, (done.clone(), known.clone()), drain))).await?;
    until_all(&mut through, HOSTS).await?;
    let (cpu, start) = (placement.process.cpu()?, Instant::now());
    join(&placement, HOSTS, (done, known), drain).await?;
    until_all(&mut through, HOSTS + 1).await?;
    let took = start.elapsed().as_secs_f64() * 1000.0;
    let cpu = (placement.process.cpu()? - cpu) * 1000.0;
    let most = placement.process.peak_memory()? / MEBIBYTE;
    tokio::time::sleep(REST).await;
    let memory = placement.process.memory()? / MEBIBYTE;
    Ok(vec![
        ("placement: 1,000 hosts learn of one more (ms)", took),
        ("placement: CPU of the service for that (ms)", cpu),
        ("placement: most memory while 1,000 hosts come (MiB)", most),
        ("placement: memory with 1,000 hosts ten seconds later (MiB)", memory),
    ])
}

/// Waits until so many hosts are through a round with so many in it.
async fn until_all(through: &mut mpsc::Receiver<usize>, hosts: usize) -> anyhow::Result<()> {
    let mut missing = hosts;
    while missing > 0 {
        let known = tokio::time::timeout(PATIENCE, through.recv()).await?.context("all hosts are gone")?;
        missing -= usize::from(known == hosts);
    }
    Ok(())
}

async fn join(
    placement: &Placement,
    number: usize,
    (done, known): (mpsc::Sender<usize>, Known),
    drain: &Drain,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", placement.port))?;
    let channel = loop {
        match endpoint.connect().await {
            Err(error) if start.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            Ok(channel) => break channel,
        }
    };
    let (reports, waiting) = mpsc::channel(8);
    let own = Host {
        name: format!("10.0.{}.{}:50002", number / 250, number % 250),
        id: "host".to_owned(),
        namespace: "default".to_owned(),
        entities: vec!["t".to_owned()],
        operation: HostOperation::Report.into(),
        ..Host::default()
    };
    reports.send(own.clone()).await?;
    let orders = open(channel, waiting).await?;
    drain.spawn_until_stopped(async move { answer(orders, reports, own, (done, known)).await });
    Ok(())
}

async fn open(channel: Channel, reports: mpsc::Receiver<Host>) -> anyhow::Result<Streaming<Order>> {
    let mut client = Grpc::new(channel);
    client.ready().await?;
    let request = Request::new(ReceiverStream::new(reports));
    let codec = ProstCodec::<Host, Order>::default();
    Ok(client.streaming(request, PathAndQuery::from_static(REPORT), codec).await?.into_inner())
}

async fn answer(
    mut orders: Streaming<Order>,
    reports: mpsc::Sender<Host>,
    own: Host,
    (done, known): (mpsc::Sender<usize>, Known),
) {
    let mut hosts = 0;
    while let Some(Ok(order)) = orders.next().await {
        hosts = known.look(&order).unwrap_or(hosts);
        let operation = HostOperation::from_str_name(&order.operation.to_uppercase()).unwrap_or_default();
        let answer = Host { operation: operation.into(), version: Some(order.version), ..own.clone() };
        if reports.send(answer).await.is_err() {
            return;
        }
        if operation == HostOperation::Unlock && done.send(hosts).await.is_err() {
            return;
        }
    }
}
