//! The client of the placement service: one stream after the other, as long as the sidecar lives.
use super::Placement;
use super::backoff::Backoff;
use super::session::{End, Session};
use crate::hosts::Hosts;
use crate::network::Replicas;
use foundation_telemetry::Metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tonic::Code;
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
        let (mut expected, mut backoff) = (false, Backoff::default());
        for attempt in 0.. {
            expected = self.stay_connected(attempt, expected, &mut backoff).await;
        }
    }

    /// Follows one replica as long as it leads. Returns whether it does not lead, which happens and is not worth a word.
    async fn stay_connected(&self, attempt: usize, expected: bool, backoff: &mut Backoff) -> bool {
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
        let (mut session, begin) = (Session::new(self, reports), Instant::now());
        let end = session.run(orders, types).await;
        let (has_begun, lasted) = (session.has_begun, begin.elapsed());
        drop(session);
        self.give_up_actors().await;
        if !has_begun {
            return self.pause(&end.to_string()).await;
        }
        tell_of(&end);
        sleep(backoff.after(lasted, self.service.pause())).await;
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

/// Tables that are too large stay so until somebody does something about it.
fn tell_of(end: &End) {
    match end {
        End::Status(status) if status.code() == Code::OutOfRange => {
            tracing::error!(target: SCOPE, "The tables of the placement service are too large for this sidecar: {}. No actor is hosted or reached here until fewer types are hosted in this namespace, or by fewer sidecars. Reconnecting...", status.message());
        }
        end => tracing::info!(target: SCOPE, "Placement stream closed: {end}. Reconnecting..."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Orders;
    use async_trait::async_trait;
    use foundation_drain::Drain;
    use futures_util::{StreamExt, stream};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tonic::Status;
    use wire::placement::v1::PlacementOrder;

    /// A service that begins each round and breaks off.
    #[derive(Default)]
    struct Flapping(AtomicUsize);

    #[async_trait]
    impl Replicas for Flapping {
        async fn open(&self, _: usize, _: mpsc::Receiver<Host>) -> Result<(String, Orders), String> {
            // Without a pause no time would pass, either.
            assert!(self.0.fetch_add(1, Ordering::Relaxed) < 50, "too often");
            let lock = PlacementOrder { operation: "lock".to_owned(), version: 1, ..PlacementOrder::default() };
            let orders = [Ok(lock), Err(Status::out_of_range("found 70000000 bytes, the limit is: 67108864 bytes"))];
            Ok(("there".to_owned(), stream::iter(orders).boxed()))
        }

        fn pause(&self) -> Duration {
            Duration::from_millis(500)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn streams_that_break_off_are_not_opened_all_the_time() {
        let service = Arc::new(Flapping::default());
        let (metrics, text) = (Metrics::default(), String::new);
        let client = Client {
            service: Arc::clone(&service) as Arc<dyn Replicas>,
            report: Report { name: text(), app_id: text(), namespace: text() },
            placement: Arc::new(Placement::new(text())),
            hosts: Arc::new(Hosts::new(metrics.clone(), &Drain::new())),
            timeout: Duration::from_secs(30),
            metrics,
        };
        timeout(Duration::from_millis(400), client.run()).await.unwrap_err();
        assert_eq!(service.0.load(Ordering::Relaxed), 2, "the second at once");
        timeout(Duration::from_secs(60), client.run()).await.unwrap_err();
        assert!(service.0.load(Ordering::Relaxed) < 16, "{service:?}", service = service.0);
    }
}
