//! What is told of policies at work: log lines and metrics (surface.md 5.1).
use crate::breaker::State;
use crate::names::Direction;
use foundation_telemetry::{Metrics, PolicyUse};
use std::sync::Arc;
use std::time::Duration;

const SCOPE: &str = "dapr.runtime";
const TIMEOUT: &str = "timeout";
const RETRY: &str = "retry";
const BREAKER: &str = "circuitbreaker";

/// Tells of one policy. The default tells nothing: there is nothing to tell of a call that is made once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observer(Option<Arc<Observed>>);

/// Where metrics go, and the Resiliency resource that they name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    pub(crate) metrics: Metrics,
    pub(crate) resource: String,
    pub(crate) namespace: String,
}

#[derive(Debug)]
struct Observed {
    source: Arc<Source>,
    target: String,
    direction: Direction,
}

impl Observer {
    /// Tells of the calls of a target, whose name is the one in metrics, such as `app_orders`.
    pub(crate) fn new(source: &Arc<Source>, target: String, direction: Direction) -> Self {
        Self(Some(Arc::new(Observed { source: Arc::clone(source), target, direction })))
    }

    /// A call is about to be made under a policy of these parts.
    pub(crate) fn executed(&self, timeout: bool, retry: bool, breaker: Option<State>) {
        let Some(observed) = &self.0 else { return };
        let executed = |policy, status| observed.source.metrics.resiliency_executed(observed.used(policy, status));
        if timeout {
            executed(TIMEOUT, "");
        }
        if retry {
            executed(RETRY, "");
        }
        if let Some(state) = breaker {
            executed(BREAKER, state.as_str());
        }
    }

    /// An attempt failed, and there will be another. Only the first failure is told unless somebody looks closely.
    pub(crate) fn retries(&self, tries: u64, pause: Duration) {
        let Some(Observed { target, .. }) = self.0.as_deref() else { return };
        if tries > 1 {
            tracing::debug!(target: SCOPE, "Attempt {tries} of operation {target} failed. Retrying in {pause:?}…");
            return;
        }
        tracing::warn!(target: SCOPE, "Error processing operation {target}. Retrying in {pause:?}…");
        self.activated(RETRY, "");
    }

    /// The call succeeded with this many tries.
    pub(crate) fn recovered(&self, tries: u64) {
        if let Some(observed) = self.0.as_ref().filter(|_| tries > 1) {
            tracing::info!(target: SCOPE, "Recovered processing operation {} after {tries} attempts", observed.target);
        }
    }

    /// An attempt took too long for the first time.
    pub(crate) fn timed_out(&self) {
        self.activated(TIMEOUT, "");
    }

    /// The circuit breaker is in another state than before.
    pub(crate) fn breaker_changed(&self, state: State) {
        self.activated(BREAKER, state.as_str());
    }

    fn activated(&self, policy: &'static str, status: &'static str) {
        if let Some(observed) = &self.0 {
            observed.source.metrics.resiliency_activated(observed.used(policy, status));
        }
    }
}

impl Observed {
    fn used(&self, policy: &'static str, status: &'static str) -> PolicyUse<'_> {
        PolicyUse {
            resource: &self.source.resource,
            namespace: &self.source.namespace,
            policy,
            flow_direction: self.direction.as_str(),
            target: &self.target,
            status,
        }
    }
}
