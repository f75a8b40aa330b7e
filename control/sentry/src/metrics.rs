//! Metrics of sentry (surface.md 5.1).
use foundation_credentials::Step;
use foundation_telemetry::{Counter, Gauge, MetricsError, Registry};
use std::time::{Duration, SystemTime, SystemTimeError, UNIX_EPOCH};

/// What the service counts.
pub(crate) struct Metrics {
    received: Counter,
    signed: Counter,
    refused: Counter,
    own_failed: Counter,
    issuer_changed: Counter,
    issuer_expiry: Gauge,
    root_expiry: Gauge,
    root_remaining: Gauge,
    rotations: Counter,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let counter = |name, help, labels| registry.counter(name, help, labels);
        Ok(Self {
            received: counter("sentry_cert_sign_request_received_total", "Requests for certificates.", &[])?,
            signed: counter("sentry_cert_sign_success_total", "Certificates that were signed.", &[])?,
            refused: counter("sentry_cert_sign_failure_total", "Requests that were refused.", &["reason"])?,
            own_failed: counter(
                "sentry_servercert_issue_failed_total",
                "Times that sentry could not renew its own certificate.",
                &["reason"],
            )?,
            issuer_changed: counter("sentry_issuercert_changed_total", "Changes of the issuer.", &[])?,
            issuer_expiry: registry.gauge(
                "sentry_issuercert_expiry_timestamp",
                "When the issuer's certificate ends, in seconds since 1970.",
                &[],
            )?,
            root_expiry: registry.gauge(
                "sentry_rootcert_expiry_timestamp",
                "When the root that signs ends, in seconds since 1970.",
                &[],
            )?,
            root_remaining: registry.gauge(
                "sentry_rootcert_remaining_seconds",
                "Seconds until the root that signs ends.",
                &[],
            )?,
            rotations: counter("sentry_rootcert_rotation_total", "Steps from one root to the next.", &["step"])?,
        })
    }

    pub(crate) fn received(&self) {
        self.received.increment(&[]);
    }

    pub(crate) fn signed(&self) {
        self.signed.increment(&[]);
    }

    pub(crate) fn refused(&self) {
        self.refused.increment(&["sign"]);
    }

    pub(crate) fn own_failed(&self) {
        self.own_failed.increment(&["ca_error"]);
    }

    pub(crate) fn issuer_changed(&self) {
        self.issuer_changed.increment(&[]);
    }

    pub(crate) fn issuer_expires(&self, time: SystemTime) {
        self.issuer_expiry.set(&[], seconds(time.duration_since(UNIX_EPOCH)));
    }

    pub(crate) fn root_expires(&self, time: SystemTime) {
        self.root_expiry.set(&[], seconds(time.duration_since(UNIX_EPOCH)));
        self.root_remaining.set(&[], seconds(time.duration_since(SystemTime::now())));
    }

    pub(crate) fn rotated(&self, step: Step) {
        let step = match step {
            Step::Made => "made",
            Step::Announced => "announced",
            Step::Switched => "switched",
            Step::Dropped => "dropped",
        };
        self.rotations.increment(&[step]);
    }
}

/// What is over counts as none.
fn seconds(length: Result<Duration, SystemTimeError>) -> i64 {
    i64::try_from(length.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}
