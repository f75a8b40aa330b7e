//! Metrics of the scheduler (surface.md 5.1).
use foundation_telemetry::{Counter, Distribution, Gauge, MetricsError, Registry};
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::Duration;

/// Upper bounds of trigger latencies, in milliseconds (Dapr 1.18).
const LATENCIES: [f64; 5] = [100.0, 500.0, 1000.0, 5000.0, 10_000.0];

/// What the scheduler counts. Clones share the series.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Instruments>);

struct Instruments {
    sidecars: Gauge,
    created: Counter,
    created_failed: Counter,
    deleted: Counter,
    bulk_deleted: Counter,
    triggered: Counter,
    failed: Counter,
    undelivered: Counter,
    latency: Distribution,
    sidecar_errors: Counter,
    inflight: Gauge,
    pending: Gauge,
    throttled: Counter,
    overdue: Gauge,
    overdue_age: Gauge,
    store: Store,
}

/// The store in this process, in the names of etcd.
struct Store {
    has_leader: Gauge,
    file: Gauge,
    in_use: Gauge,
}

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Job,
    Actor,
    Unknown,
}

/// What went wrong between the scheduler and a sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SidecarError {
    Receive,
    Authorization,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let by_type = &["type"];
        let (by_key, none) = (&["concurrency_key"], &[]);
        let counter = |name: &str, help, labels| registry.counter(&format!("scheduler_{name}"), help, labels);
        let gauge = |name: &str, help, labels| registry.gauge(&format!("scheduler_{name}"), help, labels);
        let latency = "From a trigger to its outcome, in milliseconds.";
        let latency = registry.distribution("scheduler_trigger_latency", latency, by_type, &LATENCIES)?;
        Ok(Self(Arc::new(Instruments {
            sidecars: gauge("sidecars_connected", "Streams of sidecars that take triggers.", none)?,
            created: counter("jobs_created_total", "Jobs that were scheduled.", by_type)?,
            created_failed: counter("jobs_created_failed_total", "Jobs that could not be scheduled.", by_type)?,
            deleted: counter("jobs_deleted_total", "Jobs that were deleted by name.", by_type)?,
            bulk_deleted: counter("jobs_bulk_deleted_total", "Deletions of many jobs at once.", none)?,
            triggered: counter("jobs_triggered_total", "Triggers that succeeded.", by_type)?,
            failed: counter("jobs_failed_total", "Triggers that failed.", by_type)?,
            undelivered: counter("jobs_undelivered_total", "Triggers that nobody was there for.", by_type)?,
            latency,
            sidecar_errors: counter("sidecar_errors_total", "Failures between scheduler and sidecars.", &["reason"])?,
            inflight: gauge("concurrency_inflight", "Triggers that run under a limit.", by_key)?,
            pending: gauge("concurrency_pending", "Triggers that wait for a limit.", by_key)?,
            throttled: counter("concurrency_throttled_total", "Triggers that had to wait for a limit.", by_key)?,
            overdue: gauge(
                "jobs_overdue",
                "Jobs that are due and stand still: nobody takes them, or the store is full.",
                none,
            )?,
            overdue_age: gauge("jobs_overdue_age_seconds", "Since when the first of them is due.", none)?,
            store: Store {
                has_leader: registry.foreign_gauge(
                    "etcd_server_has_leader",
                    "1 when the store can be used, 0 while no scheduler of several leads it.",
                )?,
                file: registry.foreign_gauge("etcd_mvcc_db_total_size_in_bytes", "Bytes of the store's file.")?,
                in_use: registry.foreign_gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Bytes of records.")?,
            },
        })))
    }

    pub(crate) fn connected(&self, change: i64) {
        self.0.sidecars.add(&[], change);
    }

    pub(crate) fn created(&self, target: Target) {
        self.0.created.increment(&[target.name()]);
    }

    pub(crate) fn not_created(&self, target: Target) {
        self.0.created_failed.increment(&[target.name()]);
    }

    pub(crate) fn deleted(&self, target: Target) {
        self.0.deleted.increment(&[target.name()]);
    }

    pub(crate) fn bulk_deleted(&self) {
        self.0.bulk_deleted.increment(&[]);
    }

    pub(crate) fn succeeded(&self, target: Target, elapsed: Duration) {
        self.0.triggered.increment(&[target.name()]);
        self.0.latency.observe_latency(&[target.name()], elapsed);
    }

    pub(crate) fn failed(&self, target: Target, elapsed: Duration) {
        self.0.failed.increment(&[target.name()]);
        self.0.latency.observe_latency(&[target.name()], elapsed);
    }

    pub(crate) fn undelivered(&self, target: Target) {
        self.0.undelivered.increment(&[target.name()]);
    }

    pub(crate) fn sidecar_error(&self, error: SidecarError) {
        let reason = match error {
            SidecarError::Receive => "recv_failed",
            SidecarError::Authorization => "auth_failed",
        };
        self.0.sidecar_errors.increment(&[reason]);
    }

    pub(crate) fn gate(&self, key: &str, inside: usize, waiting: usize) {
        self.0.inflight.set(&[key], whole(inside));
        self.0.pending.set(&[key], whole(waiting));
    }

    pub(crate) fn throttled(&self, key: &str) {
        self.0.throttled.increment(&[key]);
    }

    /// Jobs that are due and stand still, and for how long the first of them has been due.
    pub(crate) fn overdue(&self, count: usize, age: SignedDuration) {
        self.0.overdue.set(&[], whole(count));
        self.0.overdue_age.set(&[], age.as_secs().max(0));
    }

    pub(crate) fn store(&self, sizes: foundation_etcd::Sizes, has_leader: bool) {
        let store = &self.0.store;
        store.has_leader.set(&[], has_leader.into());
        store.file.set(&[], i64::try_from(sizes.file).unwrap_or(i64::MAX));
        store.in_use.set(&[], i64::try_from(sizes.in_use).unwrap_or(i64::MAX));
    }
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Actor => "actor",
            Self::Unknown => "unknown",
        }
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
