//! One stream to the placement service: its orders, and what they are answered with (protocols.md 1.3).
use super::Client;
use super::claims::Claims;
use futures_util::future::join_all;
use futures_util::{Stream, StreamExt};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tonic::Status;
use wire::placement::v1::{Host, HostOperation, PlacementOrder};

const SCOPE: &str = "dapr.runtime.actors.placement";
/// How long this sidecar takes for new tables, from their arrival to its answer: calls that run and the app share it. The service gives
/// up a host after 8 seconds by default, and all its actors with it.
const CHANGE: Duration = Duration::from_secs(6);
/// What is left of it for the app, however long calls were given to end.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// Why a stream is over.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("{}", foundation_peer::describe(.0))]
    Status(Box<Status>),
    #[error("the service closed the stream")]
    Closed,
    #[error("dissemination timeout after {} for version {version}", foundation_metadata::duration::format(*.after))]
    TimedOut { after: Duration, version: u64 },
    #[error("version mismatch: expected {expected}, got {got}")]
    Version { expected: u64, got: u64 },
    #[error("unknown operation: {0}")]
    Operation(String),
}

/// A stream.
pub(super) struct Session<'a> {
    client: &'a Client,
    reports: mpsc::Sender<Host>,
    /// Of the last lock or unlock.
    version: u64,
    last: HostOperation,
    /// When the update must have come.
    deadline: Option<Instant>,
    /// Whether the service has said anything yet.
    pub(super) has_begun: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(client: &'a Client, reports: mpsc::Sender<Host>) -> Self {
        Self { client, reports, version: 0, last: HostOperation::Lock, deadline: None, has_begun: false }
    }

    /// Follows orders until the stream is over, and reports anew when other types are hosted here.
    pub(super) async fn run<S>(&mut self, mut orders: S, mut types: watch::Receiver<Vec<String>>) -> End
    where
        S: Stream<Item = Result<PlacementOrder, Status>> + Unpin,
    {
        loop {
            let followed = tokio::select! {
                biased;
                order = orders.next() => match order {
                    Some(Ok(order)) => self.follow(order).await,
                    Some(Err(status)) => Err(End::Status(Box::new(status))),
                    None => Err(End::Closed),
                },
                Ok(()) = types.changed() => {
                    let entities = types.borrow_and_update().clone();
                    self.send(self.client.report.of(entities)).await
                }
                () = until(self.deadline) => {
                    let version = self.version;
                    tracing::warn!(target: SCOPE, "Dissemination timeout for version {version}, closing stream to reconnect");
                    Err(End::TimedOut { after: self.client.timeout, version })
                }
            };
            if let Err(end) = followed {
                return end;
            }
        }
    }

    async fn follow(&mut self, order: PlacementOrder) -> Result<(), End> {
        self.has_begun = true;
        let version = version(&order);
        let operation = order.operation.as_str();
        tracing::debug!(target: SCOPE, "Handling placement order={operation} version={version}");
        self.client.metrics.actor_table_operation_received(operation);
        match operation {
            "lock" => self.lock(version).await,
            "update" => self.update(order, version).await,
            "unlock" => self.unlock(version).await,
            other => Err(End::Operation(other.to_owned())),
        }
    }

    /// New tables are about to come; those that are there stay good until then.
    async fn lock(&mut self, version: u64) -> Result<(), End> {
        self.deadline = Some(Instant::now() + self.client.timeout);
        self.version = version;
        self.answer(HostOperation::Lock).await
    }

    async fn update(&mut self, order: PlacementOrder, version: u64) -> Result<(), End> {
        if self.version > version {
            return Err(End::Version { expected: self.version, got: version });
        }
        self.deadline = None;
        let (client, begin) = (self.client, Instant::now());
        let old = client.placement.install(order.tables.unwrap_or_default());
        client.drain(old).await;
        let changing = client.placement.changing();
        let deadline = (begin + CHANGE).max(Instant::now() + LEAST_PATIENCE);
        client.hosts.halt(&changing, |actor| !client.placement.is_own(actor), deadline).await;
        self.answer(HostOperation::Update).await
    }

    async fn unlock(&mut self, version: u64) -> Result<(), End> {
        if self.last != HostOperation::Update {
            tracing::warn!(target: SCOPE, "Invalid operation sequence: expected UPDATE before UNLOCK, ignoring unlock");
            return Ok(());
        }
        if self.version > version {
            tracing::error!(target: SCOPE, "Version mismatch: expected {}, got {version}, ignoring unlock", self.version);
            return Ok(());
        }
        self.version = version;
        let types = self.client.placement.changing();
        tracing::info!(target: SCOPE, "Dissemination complete for version {version} (changed types {types:?})");
        self.client.placement.release();
        self.answer(HostOperation::Unlock).await
    }

    async fn answer(&mut self, operation: HostOperation) -> Result<(), End> {
        self.last = operation;
        let host = self.client.report.answer(operation, self.version);
        self.send(host).await
    }

    async fn send(&self, host: Host) -> Result<(), End> {
        let operation = host.operation().as_str_name();
        let sent = self.reports.send(host).await;
        match sent {
            Ok(()) => self.client.metrics.actor_status_reported(operation),
            Err(_) => self.client.metrics.actor_status_report_failed(operation, "send"),
        }
        sent.map_err(|_| End::Closed)
    }
}

impl Client {
    /// Waits for calls by old tables, each type by its own patience.
    pub(super) async fn drain(&self, old: Vec<(String, Claims)>) {
        let drains = old.into_iter().map(async |(actor_type, claims)| {
            claims.drain(&actor_type, self.hosts.drain_patience(&actor_type)).await;
        });
        join_all(drains).await;
    }
}

/// Old services tell it in the tables.
fn version(order: &PlacementOrder) -> u64 {
    let of_tables = || order.tables.as_ref().and_then(|tables| tables.version.parse().ok()).unwrap_or_default();
    if order.version > 0 { order.version } else { of_tables() }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
