//! Metrics of sentry (surface.md 5.1).
use foundation_telemetry::{Counter, Gauge, MetricsError, Registry};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the service counts.
pub(crate) struct Metrics {
    received: Counter,
    signed: Counter,
    refused: Counter,
    handshakes_refused: Counter,
    issuer_changed: Counter,
    issuer_expiry: Gauge,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let counter = |name, help, labels| registry.counter(name, help, labels);
        Ok(Self {
            received: counter("sentry_cert_sign_request_received_total", "Requests for certificates.", &[])?,
            signed: counter("sentry_cert_sign_success_total", "Certificates that were signed.", &[])?,
            refused: counter("sentry_cert_sign_failure_total", "Requests that were refused.", &["reason"])?,
            handshakes_refused: counter("sentry_handshake_failure_total", "TLS handshakes that failed.", &[])?,
            issuer_changed: counter("sentry_issuercert_changed_total", "Changes of the issuer.", &[])?,
            issuer_expiry: registry.gauge(
                "sentry_issuercert_expiry_timestamp",
                "When the issuer's certificate ends, in seconds since 1970.",
                &[],
            )?,
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

    pub(crate) fn handshake_refused(&self) {
        self.handshakes_refused.increment(&[]);
    }

    pub(crate) fn issuer_changed(&self) {
        self.issuer_changed.increment(&[]);
    }

    pub(crate) fn issuer_expires(&self, time: SystemTime) {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.issuer_expiry.set(&[], i64::try_from(seconds).unwrap_or(i64::MAX));
    }
}
