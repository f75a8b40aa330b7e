//! All series of one metric of the app.
use super::names::Labels;
use super::point::{Histogram, Value};
use indexmap::IndexMap;
use prometheus::proto;
use prometheus::proto::{Bucket, LabelPair, MetricFamily, MetricType, Quantile};
use tokio::time::Instant;

/// The label of the series that counts what came after the last that there was room for, by OpenTelemetry's name for it.
const OVERFLOW: &str = "otel_metric_overflow";

/// A metric with its series.
pub(super) struct Family {
    kind: MetricType,
    help: String,
    series: IndexMap<Labels, Kept>,
    overflow: Option<(u64, Kept)>,
}

/// The value of a series, and when it was last reported.
struct Kept {
    value: Value,
    seen: Instant,
}

impl Family {
    pub(super) fn new(kind: MetricType, help: &str) -> Self {
        // One line is enough for a help text.
        let help = help.chars().take(1024).collect();
        Self { kind, help, series: IndexMap::new(), overflow: None }
    }

    pub(super) fn kind(&self) -> MetricType {
        self.kind
    }

    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    /// Takes the value of a series. A new series beyond `room` is part of the overflow, which is added up within one export.
    pub(super) fn take(&mut self, labels: Labels, value: Value, delta: bool, room: usize, export: u64) {
        let seen = Instant::now();
        if let Some(kept) = self.series.get_mut(&labels) {
            kept.seen = seen;
            kept.take(value, delta);
        } else if self.series.len() < room {
            self.series.insert(labels, Kept { value, seen });
        } else if let Some((last, kept)) = &mut self.overflow {
            kept.seen = seen;
            kept.take(value, delta || *last == export);
            *last = export;
        } else {
            self.overflow = Some((export, Kept { value, seen }));
        }
    }

    /// Forgets a series.
    pub(super) fn remove(&mut self, labels: &Labels) {
        self.series.swap_remove(labels);
    }

    /// Forgets series that were last reported too long ago; whether any are left.
    pub(super) fn keep(&mut self, is_fresh: impl Fn(Instant) -> bool) -> bool {
        self.series.retain(|_, kept| is_fresh(kept.seen));
        self.overflow.take_if(|(_, kept)| !is_fresh(kept.seen));
        !self.series.is_empty() || self.overflow.is_some()
    }

    /// The metric as Prometheus has it.
    pub(super) fn rendered(&self, name: &str) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(self.help.clone());
        family.set_field_type(self.kind);
        let common = self.series.keys().next().and_then(|labels| labels.get_key_value("app_id"));
        let overflow = self.overflow.iter().map(|(_, kept)| {
            let flag = (OVERFLOW.to_owned(), "true".to_owned());
            let labels = common.map(|(name, value)| (name.clone(), value.clone())).into_iter().chain([flag]).collect();
            metric(self.kind, &labels, &kept.value)
        });
        let series = self.series.iter().map(|(labels, kept)| metric(self.kind, labels, &kept.value));
        family.set_metric(series.chain(overflow).collect());
        family
    }
}

impl Kept {
    fn take(&mut self, value: Value, adds: bool) {
        if adds {
            self.value.add(value);
        } else {
            self.value = value;
        }
    }
}

fn metric(kind: MetricType, labels: &Labels, value: &Value) -> proto::Metric {
    let pair = |(name, value): (&String, &String)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.clone());
        pair.set_value(value.clone());
        pair
    };
    let mut metric = proto::Metric::from_label(labels.iter().map(pair).collect());
    match value {
        Value::Number(number) if kind == MetricType::COUNTER => {
            let mut counter = proto::Counter::default();
            counter.set_value(*number);
            metric.set_counter(counter);
        }
        Value::Number(number) => {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(*number);
            metric.set_gauge(gauge);
        }
        Value::Histogram(value) => metric.set_histogram(histogram(value)),
        Value::Summary { count, sum, quantiles } => metric.set_summary(summary(*count, *sum, quantiles)),
    }
    metric
}

fn histogram(value: &Histogram) -> proto::Histogram {
    let mut histogram = proto::Histogram::default();
    histogram.set_sample_count(value.count);
    histogram.set_sample_sum(value.sum);
    let mut below = 0_u64;
    let bucket = |(bound, count): (&f64, &u64)| {
        below = below.saturating_add(*count);
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound);
        bucket.set_cumulative_count(below);
        bucket
    };
    histogram.set_bucket(value.bounds.iter().zip(&value.counts).map(bucket).collect());
    histogram
}

fn summary(count: u64, sum: f64, quantiles: &[(f64, f64)]) -> proto::Summary {
    let mut summary = proto::Summary::default();
    summary.set_sample_count(count);
    summary.set_sample_sum(sum);
    let quantile = |(at, value): &(f64, f64)| {
        let mut quantile = Quantile::default();
        quantile.set_quantile(*at);
        quantile.set_value(*value);
        quantile
    };
    summary.set_quantile(quantiles.iter().map(quantile).collect());
    summary
}
