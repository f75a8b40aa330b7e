//! Calls over HTTP: to the API, and to the app.
use super::error::MetricsError;
use super::instruments::{Counter, Distribution};
use super::path::Labels;
use super::settings::HttpMetrics;
use super::{Metrics, Registry};
use std::time::Duration;

const CALL: &[&str] = &["method", "path", "status"];

pub(super) struct Http {
    labels: Labels,
    request_bytes: Distribution,
    response_bytes: Distribution,
    latency: Distribution,
    requests: Counter,
    responses: Option<Counter>,
    sent_bytes: Distribution,
    received_bytes: Distribution,
    client_latency: Distribution,
    client_completed: Counter,
    probe_latency: Distribution,
    probes: Counter,
}

/// A call to the API that has been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpServed<'a> {
    pub method: &'a str,
    /// The path without query.
    pub path: &'a str,
    pub status: u16,
    /// What `content-length` said; zero when it said nothing.
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub elapsed: Duration,
}

impl Http {
    pub(super) fn new(registry: &Registry, settings: &HttpMetrics) -> Result<Self, MetricsError> {
        let (client, counter) =
            (|name, help| registry.size(name, help, &[]), |name, help| registry.counter(name, help, CALL));
        let responses =
            settings.increased_cardinality.then(|| counter("http_server_response_count", "Answers of the API."));
        Ok(Self {
            labels: Labels::new(settings),
            request_bytes: client("http_server_request_bytes", "Sizes of requests to the API, in bytes.")?,
            response_bytes: client("http_server_response_bytes", "Sizes of answers of the API, in bytes.")?,
            latency: registry.latency("http_server_latency", "Latency of the API.", CALL)?,
            requests: counter("http_server_request_count", "Requests to the API.")?,
            responses: responses.transpose()?,
            sent_bytes: registry.size("http_client_sent_bytes", "Sizes of requests to the app, in bytes.", CALL)?,
            received_bytes: client("http_client_received_bytes", "Sizes of answers of the app, in bytes.")?,
            client_latency: registry.latency("http_client_roundtrip_latency", "Latency of the app.", CALL)?,
            client_completed: counter("http_client_completed_count", "Requests to the app.")?,
            probe_latency: registry.latency(
                "http_healthprobes_roundtrip_latency",
                "Latency of health probes of the app.",
                &["status"],
            )?,
            probes: registry.counter("http_healthprobes_completed_count", "Health probes of the app.", &["status"])?,
        })
    }
}

impl Metrics {
    /// `dapr_http_server_*`: the API answered a call.
    pub fn http_served(&self, call: HttpServed<'_>) {
        let Some(groups) = &self.groups else { return };
        let http = &groups.http;
        let path = http.labels.server_path(call.path);
        let mut status = StatusText::default();
        let values = [http.labels.method(call.method), &path, status.text(call.status)];
        http.requests.increment(&values);
        http.latency.observe_latency(&values, call.elapsed);
        if let Some(responses) = &http.responses {
            responses.increment(&values);
        }
        http.request_bytes.observe_bytes(&[], call.request_bytes);
        http.response_bytes.observe_bytes(&[], call.response_bytes);
    }

    /// `dapr_http_client_sent_bytes`: a request goes to the app.
    pub fn http_client_sent(&self, method: &str, path: &str, bytes: u64) {
        let Some(groups) = &self.groups else { return };
        let http = &groups.http;
        let path = http.labels.client_path(path);
        http.sent_bytes.observe_bytes(&[http.labels.method(method), &path, ""], bytes);
    }

    /// `dapr_http_client_*` but for the bytes sent: the app answered with the status, or failed to.
    pub fn http_client_completed(&self, method: &str, path: &str, status: u16, bytes: u64, elapsed: Duration) {
        let Some(groups) = &self.groups else { return };
        let http = &groups.http;
        let path = http.labels.client_path(path);
        let mut text = StatusText::default();
        let values = [http.labels.method(method), &path, text.text(status)];
        http.client_completed.increment(&values);
        http.client_latency.observe_latency(&values, elapsed);
        http.received_bytes.observe_bytes(&[], bytes);
    }

    /// `dapr_http_healthprobes_*`: a health probe of the app ended with the status.
    pub fn http_health_probe(&self, status: u16, elapsed: Duration) {
        let Some(groups) = &self.groups else { return };
        let mut text = StatusText::default();
        let values = [text.text(status)];
        groups.http.probes.increment(&values);
        groups.http.probe_latency.observe_latency(&values, elapsed);
    }
}

/// Digits of a status without a heap allocation.
#[derive(Default)]
struct StatusText([u8; 5]);

impl StatusText {
    fn text(&mut self, status: u16) -> &str {
        let mut rest = status;
        let mut start = self.0.len();
        loop {
            start -= 1;
            self.0[start] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        std::str::from_utf8(&self.0[start..]).unwrap_or_default()
    }
}
