//! The client of the placement service: one stream after the other, as long as the sidecar lives.
use super::Placement;
use super::session::Session;
use crate::hosts::Hosts;
use crate::network::Replicas;
use foundation_telemetry::Metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use wire::placement::v1::{Host, HostOperation};

const SCOPE: &str = "dapr.runtime.actors.placement";
/// What Dapr 1.18 says; nobody looks at it any more.
const API_LEVEL: u32 = 20;
/// Reports that the connection has not taken yet.
const WAITING_REPORTS: usize = 16;

/// What this sidecar says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// Address of the internal gRPC server.
    pub(crate) name: String,
    pub(crate) app_id: String,
    pub(crate) namespace: String,
}

impl Report {
    pub(super) fn of(&self, entities: Vec<String>) -> Host {
        let operation = HostOperation::Report.into();
        let answer = self.answer(HostOperation::Report, 0);
        Host { name: self.name.clone(), entities, api_level: API_LEVEL, operation, version: None, ..answer }
    }

    pub(super) fn answer(&self, operation: HostOperation, version: u64) -> Host {
        let (id, namespace) = (self.app_id.clone(), self.namespace.clone());
        Host { id, namespace, operation: operation.into(), version: Some(version), ..Host::default() }
    }
}

/// Keeps this sidecar in step with the placement service.
pub(crate) struct Client {
    pub(crate) service: Arc<dyn Replicas>,
    pub(crate) report: Report,
    pub(crate) placement: Arc<Placement>,
    pub(crate) hosts: Arc<Hosts>,
    /// How long a round may take until its tables come.
    pub(crate) timeout: Duration,
    pub(crate) metrics: Metrics,
}

impl Client {
    /// Goes from stream to stream; ends only when it is dropped.
    pub(crate) async fn run(&self) {
        let mut expected = false;
        for attempt in 0.. {
            expected = self.stay_connected(attempt, expected).await;
        }
    }

    /// Follows one replica as long as it leads. Returns whether it does not lead, which happens and is not worth a word.
    async fn stay_connected(&self, attempt: usize, expected: bool) -> bool {
        let mut types = self.hosts.types();
        let (reports, waiting) = mpsc::channel(WAITING_REPORTS);
        let entities = types.borrow_and_update().clone();
        if !expected {
            tracing::info!(target: SCOPE, "Reporting initial host to placement service with initial types {entities:?}");
        }
        reports.send(self.report.of(entities)).await.ok();
        // A service that takes connections and does nothing more must not keep others from being tried.
        let opened = timeout(self.timeout, self.service.open(attempt, waiting)).await;
        let (address, orders) = match opened.unwrap_or_else(|_| Err(self.hangs())) {
            Ok(opened) => opened,
            Err(reason) => return self.pause(&reason).await,
        };
        if !expected {
            tracing::info!(target: SCOPE, "Connected to placement service: {address}");
        }
        let mut session = Session::new(self, reports);
        let end = session.run(orders, types).await;
        let has_begun = session.has_begun;
        drop(session);
        self.give_up_actors().await;
        if !has_begun {
            return self.pause(&end.to_string()).await;
        }
        tracing::info!(target: SCOPE, "Placement stream closed: {end}. Reconnecting...");
        false
    }

    fn hangs(&self) -> String {
        let time = foundation_metadata::duration::format(self.timeout);
        format!("the service took the connection and gave no answer within {time}")
    }

    /// Without the service nobody knows where actors live.
    async fn give_up_actors(&self) {
        self.drain(self.placement.lose()).await;
        self.hosts.halt_all().await;
    }

    /// Returns whether the replica does not lead.
    async fn pause(&self, reason: &str) -> bool {
        let follows = reason.contains("is not a leader");
        if follows {
            tracing::debug!(target: SCOPE, "Failed to connect to placement service: {reason}. Retrying...");
        } else {
            tracing::error!(target: SCOPE, "Failed to connect to placement service: {reason}. Retrying...");
        }
        sleep(self.service.pause()).await;
        follows
    }
}
