//! Metrics that the app handed over in OTLP's form, kept for Prometheus.
//!
//! The last value of each series is kept, or for delta temporality the sum. A series that is not reported any more is
//! forgotten after a while, as OpenTelemetry's collector does it.
mod family;
mod names;
mod point;
#[cfg(test)]
mod tests;

use super::Metrics;
use crate::export::values::find;
use family::Family;
use indexmap::IndexMap;
use indexmap::map::Entry;
use names::{Labels, labels, metric_name, pairs};
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics};
use point::{Point, Series, Value, series};
use prometheus::proto::{MetricFamily, MetricType};
use std::sync::{Mutex, PoisonError};
use tokio::time::{Duration, Instant};

/// How long a series that is not reported any more stays (the default of OpenTelemetry's collector).
const LIFETIME: Duration = Duration::from_secs(300);
/// Metrics that an app may have.
const MOST_METRICS: usize = 2000;
/// All series of an app, as multiples of the limit of one metric.
const MOST_SERIES: usize = 10;
/// Names of the sidecar's own metrics.
const OWN: &str = "dapr_";
/// Attributes that the labels `job` and `instance` are made of.
const IDENTITY: [&str; 3] = ["service.name", "service.namespace", "service.instance.id"];

/// What was not taken of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// Data points.
    pub points: u64,
    /// Why the last of them was not.
    pub reason: &'static str,
}

/// All metrics of the app.
pub(super) struct AppMetrics {
    app_id: String,
    limit: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    families: IndexMap<String, Family>,
    /// Numbers exports, so that what overflows is added up within one.
    export: u64,
}

impl Metrics {
    /// Takes metrics of the app; they are part of the next scrape.
    pub fn app_metrics(&self, exported: &[ResourceMetrics]) -> Rejected {
        self.groups.as_ref().map(|groups| groups.app.take(exported)).unwrap_or_default()
    }
}

impl AppMetrics {
    /// `limit` is that of the series of one metric.
    pub(super) fn new(app_id: &str, limit: usize) -> Self {
        Self { app_id: app_id.to_owned(), limit, kept: Mutex::default() }
    }

    fn take(&self, exported: &[ResourceMetrics]) -> Rejected {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.export += 1;
        kept.forget(Instant::now());
        let mut export = Export { kept: &mut kept, limit: self.limit, rejected: Rejected::default() };
        for resource in exported {
            let attributes = resource.resource.as_ref().map(|one| one.attributes.as_slice()).unwrap_or_default();
            let identity = self.identity(attributes);
            export.take_target(attributes, &identity);
            for scope in &resource.scope_metrics {
                let common = with_scope(&identity, scope.scope.as_ref());
                scope.metrics.iter().for_each(|metric| export.take_metric(metric, &common));
            }
        }
        export.rejected
    }

    /// Everything as Prometheus has it.
    pub(super) fn families(&self) -> Vec<MetricFamily> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.forget(Instant::now());
        kept.families.iter().map(|(name, family)| family.rendered(name)).collect()
    }

    /// The labels that tell the app's processes apart.
    fn identity(&self, resource: &[KeyValue]) -> Labels {
        let [service, namespace, instance] = IDENTITY.map(|name| find(resource, name));
        let job = match (namespace, service) {
            (Some(namespace), Some(service)) => Some(format!("{namespace}/{service}")),
            (_, service) => service,
        };
        let given = [("job", job), ("instance", instance)];
        let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        [("app_id".to_owned(), self.app_id.clone())].into_iter().chain(given).collect()
    }
}

/// One export on its way into what is kept.
struct Export<'a> {
    kept: &'a mut Kept,
    limit: usize,
    rejected: Rejected,
}

impl Export<'_> {
    /// What else is known of a process of the app (`target_info`).
    fn take_target(&mut self, resource: &[KeyValue], identity: &Labels) {
        let others: Vec<_> =
            resource.iter().filter(|attribute| !IDENTITY.contains(&attribute.key.as_str())).cloned().collect();
        if others.is_empty() {
            return;
        }
        let target =
            Series { kind: MetricType::GAUGE, delta: false, points: vec![Point::of(&others, Value::Number(1.0))] };
        self.take_series("target_info".to_owned(), "What is known of the app's processes", target, identity);
    }

    fn take_metric(&mut self, metric: &Metric, common: &Labels) {
        let Some(series) = series(metric) else { return };
        let name = metric_name(&metric.name, &metric.unit, series.kind);
        self.take_series(name, &metric.description, series, common);
    }

    fn take_series(&mut self, name: String, help: &str, series: Series<'_>, common: &Labels) {
        let Series { kind, delta, points } = series;
        let all = self.kept.families.values().map(Family::len).sum::<usize>();
        let full = self.kept.families.len() >= MOST_METRICS || all >= self.limit.saturating_mul(MOST_SERIES);
        let export = self.kept.export;
        let family = match self.kept.families.entry(name) {
            Entry::Vacant(entry) if !names::is_valid(entry.key()) => {
                return self.rejected.note(points.len(), "a metric has no name that can be one");
            }
            Entry::Vacant(entry) if entry.key().starts_with(OWN) => {
                return self.rejected.note(points.len(), "names that begin with dapr_ are those of the sidecar");
            }
            Entry::Vacant(_) if full => return self.rejected.note(points.len(), "there are too many metrics"),
            Entry::Occupied(entry) if entry.get().kind() != kind => {
                return self.rejected.note(points.len(), "another metric has this name and another type");
            }
            entry => entry.or_insert_with(|| Family::new(kind, help)),
        };
        let room = if full { family.len() } else { self.limit };
        for point in points {
            let labels = pairs(labels(point.attributes, kind), common);
            match point.value {
                Ok(Some(_)) if names::are_too_long(&labels) => self.rejected.note(1, "labels are too long"),
                Ok(Some(value)) => family.take(labels, value, delta, room, export),
                Ok(None) => family.remove(&labels),
                Err(reason) => self.rejected.note(1, reason),
            }
        }
    }
}

impl Kept {
    fn forget(&mut self, now: Instant) {
        self.families.retain(|_, family| family.keep(|seen| now.duration_since(seen) < LIFETIME));
    }
}

impl Rejected {
    fn note(&mut self, points: usize, reason: &'static str) {
        self.points += points as u64;
        self.reason = reason;
    }
}

fn with_scope(identity: &Labels, scope: Option<&InstrumentationScope>) -> Labels {
    let given = |name: &str, value: &str| (!value.is_empty()).then(|| (name.to_owned(), value.to_owned()));
    let named = scope.and_then(|scope| given("otel_scope_name", &scope.name));
    let version = scope.and_then(|scope| given("otel_scope_version", &scope.version));
    identity.clone().into_iter().chain(named).chain(version).collect()
}
