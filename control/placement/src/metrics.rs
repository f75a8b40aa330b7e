//! Metrics of the placement service (surface.md 5.1).
use foundation_telemetry::{Counter, Gauge, MetricsError, Registry};
use std::collections::VecDeque;

/// Namespaces without sidecars that are still shown, as zero.
const SHOWN_EMPTY: usize = 100;

/// What the service counts.
pub(crate) struct Metrics {
    runtimes: Gauge,
    actor_runtimes: Gauge,
    leader: Gauge,
    raft_leader: Gauge,
    /// Namespaces that have become empty, the last one at the end.
    empty: VecDeque<String>,
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
            empty: VecDeque::new(),
        };
        metrics.leads(false);
        Ok(metrics)
    }

    pub(crate) fn leads(&self, leads: bool) {
        self.leader.set(&[], i64::from(leads));
        self.raft_leader.set(&[], i64::from(leads));
    }

    pub(crate) fn count(&mut self, namespace: &str, (runtimes, hosting): (usize, usize)) {
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.empty.retain(|empty| empty != namespace);
        self.runtimes.set(&[namespace], whole(runtimes));
        self.actor_runtimes.set(&[namespace], whole(hosting));
    }

    /// A namespace has no sidecars any more. Dapr shows it as zero for ever; here it is forgotten after others.
    pub(crate) fn ended(&mut self, namespace: String) {
        self.count(&namespace, (0, 0));
        self.empty.push_back(namespace);
        if self.empty.len() <= SHOWN_EMPTY {
            return;
        }
        if let Some(first) = self.empty.pop_front() {
            self.runtimes.forget(&[&first]);
            self.actor_runtimes.forget(&[&first]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_forgotten_that_have_been_empty_the_longest() {
        let registry = Registry::new().unwrap();
        let mut metrics = Metrics::new(&registry).unwrap();
        for number in 0..=SHOWN_EMPTY {
            metrics.count(&format!("n{number}"), (2, 1));
            metrics.ended(format!("n{number}"));
        }
        let shown = registry.render();
        let series = |namespace: &str| format!("_runtimes_total{{host_namespace=\"{namespace}\"}} 0");
        assert_eq!(shown.matches("_runtimes_total{").count(), 2 * SHOWN_EMPTY, "{shown}");
        assert_eq!((shown.matches(&series("n0")).count(), shown.matches(&series("n1")).count()), (0, 2), "{shown}");
    }

    #[test]
    fn a_namespace_that_comes_back_is_kept() {
        let registry = Registry::new().unwrap();
        let mut metrics = Metrics::new(&registry).unwrap();
        metrics.ended("back".to_owned());
        metrics.count("back", (3, 0));
        (0..=SHOWN_EMPTY).for_each(|number| metrics.ended(format!("n{number}")));
        assert!(registry.render().contains("dapr_placement_runtimes_total{host_namespace=\"back\"} 3"));
    }
}
