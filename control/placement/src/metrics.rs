//! Metrics of the placement service (surface.md 5.1).
use foundation_telemetry::{Counter, Gauge, MetricsError, Registry};

/// What the service counts.
pub(crate) struct Metrics {
    runtimes: Gauge,
    actor_runtimes: Gauge,
    leader: Gauge,
    raft_leader: Gauge,
}

/// Counts reports that are refused. Beyond Dapr, which tells of none.
pub(crate) struct RefusedReports(Counter);

impl RefusedReports {
    pub(crate) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self(registry.counter("placement_reports_refused_total", "Reports of sidecars that were refused.", &[])?))
    }

    pub(crate) fn count(&self) {
        self.0.increment(&[]);
    }
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let by_namespace = &["host_namespace"];
        let gauge = |name, help, labels| registry.gauge(name, help, labels);
        let metrics = Self {
            runtimes: gauge("placement_runtimes_total", "Sidecars that report to this service.", by_namespace)?,
            actor_runtimes: gauge("placement_actor_runtimes_total", "Sidecars that host actors.", by_namespace)?,
            leader: gauge("placement_leader_status", "1 when this replica serves sidecars, else 0.", &[])?,
            raft_leader: gauge("placement_raft_leader_status", "1 when this replica leads the others, else 0.", &[])?,
        };
        metrics.leads(false);
        Ok(metrics)
    }

    pub(crate) fn leads(&self, leads: bool) {
        self.leader.set(&[], i64::from(leads));
        self.raft_leader.set(&[], i64::from(leads));
    }

    pub(crate) fn count(&self, namespace: &str, (runtimes, hosting): (usize, usize)) {
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.runtimes.set(&[namespace], whole(runtimes));
        self.actor_runtimes.set(&[namespace], whole(hosting));
    }
}
