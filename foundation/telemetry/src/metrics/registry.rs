//! Where instruments are made and rendered.
use super::error::MetricsError;
use super::instruments::{Counter, Distribution, Gauge, Timed};
use super::process::Process;
use super::rules::Rules;
use super::settings::{MetricsSettings, default_latency_buckets, default_max_series};
use super::vector::{Description, Instrument, Vector};
use prometheus::TextEncoder;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use std::collections::HashSet;

/// The prefix of every metric.
const PREFIX: &str = "dapr";
/// Upper bounds of histograms of sizes, in bytes: 1 KiB to 4 GiB (Dapr 1.18).
const SIZE_BUCKETS: [u64; 13] = [
    1 << 10,
    2 << 10,
    4 << 10,
    16 << 10,
    64 << 10,
    256 << 10,
    1 << 20,
    4 << 20,
    16 << 20,
    64 << 20,
    256 << 20,
    1 << 30,
    4 << 30,
];

/// Makes the instruments of one process and renders their series. Clones share them.
#[derive(Clone, Debug)]
pub struct Registry {
    registered: prometheus::Registry,
    fixed: Vec<(&'static str, String)>,
    rules: Rules,
    latency_buckets: Vec<f64>,
    limit: usize,
}

impl Registry {
    /// The registry of a process without app, such as one of the control plane.
    ///
    /// # Errors
    /// None but what the operating system gives for the metrics of the process.
    pub fn new() -> Result<Self, MetricsError> {
        Self {
            registered: prometheus::Registry::new(),
            fixed: Vec::new(),
            rules: Rules::default(),
            latency_buckets: default_latency_buckets(),
            limit: default_max_series(),
        }
        .with_process()
    }

    /// The registry of a sidecar: every series has the label `app_id`.
    ///
    /// # Errors
    /// A rule with a malformed regular expression.
    pub(super) fn for_app(settings: &MetricsSettings) -> Result<Self, MetricsError> {
        let mut latency_buckets = settings.latency_buckets.clone();
        latency_buckets.sort_by(f64::total_cmp);
        latency_buckets.dedup();
        Self {
            registered: prometheus::Registry::new(),
            fixed: vec![("app_id", settings.app_id.clone())],
            rules: Rules::new(&settings.rules)?,
            latency_buckets,
            limit: settings.max_series,
        }
        .with_process()
    }

    /// The same registry; its instruments do not get the fixed labels.
    pub(super) fn without_fixed_labels(&self) -> Self {
        Self { fixed: Vec::new(), ..self.clone() }
    }

    /// A count of events.
    ///
    /// # Errors
    /// A name that is taken.
    pub fn counter(
        &self,
        name: &str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Result<Counter, MetricsError> {
        Ok(Counter::new(self.vector(name, help, labels, Vec::new())?, self.limit))
    }

    /// A value that goes up and down.
    ///
    /// # Errors
    /// A name that is taken.
    pub fn gauge(
        &self,
        name: &str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Result<Gauge, MetricsError> {
        Ok(Gauge::new(self.vector(name, help, labels, Vec::new())?, self.limit))
    }

    /// A value under a name of another program's, which dashboards read.
    ///
    /// # Errors
    /// A name that is taken.
    pub fn foreign_gauge(&self, name: &str, help: &'static str) -> Result<Gauge, MetricsError> {
        Ok(Gauge::new(self.named_vector(name.to_owned(), help, &[], Vec::new())?, self.limit))
    }

    /// A histogram of latencies in milliseconds.
    ///
    /// # Errors
    /// A name that is taken.
    pub fn latency(
        &self,
        name: &str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Result<Distribution, MetricsError> {
        self.distribution(name, help, labels, &self.latency_buckets)
    }

    /// A histogram of sizes in bytes.
    ///
    /// # Errors
    /// A name that is taken.
    #[allow(clippy::cast_precision_loss)] // Powers of two are exact.
    pub fn size(
        &self,
        name: &str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Result<Distribution, MetricsError> {
        self.distribution(name, help, labels, &SIZE_BUCKETS.map(|bytes| bytes as f64))
    }

    /// A histogram with upper bounds of its own.
    ///
    /// # Errors
    /// A name that is taken.
    pub fn distribution(
        &self,
        name: &str,
        help: &'static str,
        labels: &'static [&'static str],
        buckets: &[f64],
    ) -> Result<Distribution, MetricsError> {
        Ok(Distribution::new(self.vector(name, help, labels, buckets.to_vec())?, self.limit))
    }

    /// The metrics `<group>_count` and `<group>_<latency>`.
    ///
    /// # Errors
    /// A name that is taken.
    pub fn timed(
        &self,
        (group, latency): (&str, &str),
        help: (&'static str, &'static str),
        labels: &'static [&'static str],
    ) -> Result<Timed, MetricsError> {
        let count = self.vector(&format!("{group}_count"), help.0, labels, Vec::new())?;
        let latency = self.vector(&format!("{group}_{latency}"), help.1, labels, self.latency_buckets.clone())?;
        Ok(Timed::new(count, latency, self.limit))
    }

    /// Also collects from something that keeps series of its own.
    ///
    /// # Errors
    /// A name that is taken.
    pub(crate) fn register(&self, name: &str, collector: impl Collector + 'static) -> Result<(), MetricsError> {
        self.registered
            .register(Box::new(collector))
            .map_err(|reason| MetricsError::Register { name: name.to_owned(), reason: Box::new(reason) })
    }

    /// All series in Prometheus' text format.
    pub fn render(&self) -> String {
        self.render_with(Vec::new())
    }

    /// All series, and those of others under names that are not taken.
    pub(super) fn render_with(&self, others: Vec<MetricFamily>) -> String {
        let (mut families, mut text) = (self.registered.gather(), String::new());
        let own: HashSet<String> = families.iter().map(|family| family.name().to_owned()).collect();
        families.extend(others.into_iter().filter(|family| !own.contains(family.name())));
        if let Err(error) = TextEncoder::new().encode_utf8(&families, &mut text) {
            tracing::warn!(target: "dapr.metrics", "cannot render metrics: {error}");
        }
        text
    }

    fn with_process(self) -> Result<Self, MetricsError> {
        self.register("process", Process::new()?)?;
        Ok(self)
    }

    fn vector<M: Instrument>(
        &self,
        name: &str,
        help: &'static str,
        labels: &'static [&'static str],
        buckets: Vec<f64>,
    ) -> Result<Vector<M>, MetricsError> {
        self.named_vector(format!("{PREFIX}_{name}"), help, labels, buckets)
    }

    fn named_vector<M: Instrument>(
        &self,
        name: String,
        help: &'static str,
        labels: &'static [&'static str],
        buckets: Vec<f64>,
    ) -> Result<Vector<M>, MetricsError> {
        let rules = self.rules.of(&name);
        let (fixed, limit) = (self.fixed.clone(), self.limit);
        let vector = Vector::new(Description { name: name.clone(), help, labels, fixed, rules, buckets, limit })?;
        self.register(&name, vector.clone())?;
        Ok(vector)
    }
}
