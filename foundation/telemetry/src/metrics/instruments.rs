//! What code counts with.
use super::cache::Cache;
use super::vector::{Instrument, Vector};
use prometheus::{Histogram, IntCounter, IntGauge};
use std::time::Duration;

/// Counts events by labels.
pub struct Counter {
    found: Found<IntCounter>,
}

/// The last value by labels.
pub struct Gauge {
    found: Found<IntGauge>,
}

/// A histogram by labels.
pub struct Distribution {
    found: Found<Histogram>,
}

/// A count of events and a histogram of their latencies, by the same labels.
pub struct Timed {
    count: Vector<IntCounter>,
    latency: Vector<Histogram>,
    known: Cache<(IntCounter, Histogram)>,
}

/// Series by label values as they are given, before any rule.
struct Found<M: Instrument> {
    vector: Vector<M>,
    known: Cache<M>,
}

impl Counter {
    pub(super) fn new(vector: Vector<IntCounter>, limit: usize) -> Self {
        Self { found: Found::new(vector, limit) }
    }

    /// Counts one event.
    pub fn increment(&self, values: &[&str]) {
        self.add(values, 1);
    }

    /// Counts so many events.
    pub fn add(&self, values: &[&str], count: u64) {
        if let Some(series) = self.found.series(values) {
            series.inc_by(count);
        }
    }
}

impl Gauge {
    pub(super) fn new(vector: Vector<IntGauge>, limit: usize) -> Self {
        Self { found: Found::new(vector, limit) }
    }

    /// The value from now on.
    pub fn set(&self, values: &[&str], value: i64) {
        if let Some(series) = self.found.series(values) {
            series.set(value);
        }
    }

    /// Adds to the value.
    pub fn add(&self, values: &[&str], change: i64) {
        if let Some(series) = self.found.series(values) {
            series.add(change);
        }
    }

    /// Ends a series: what it counted is there no more.
    pub fn forget(&self, values: &[&str]) {
        self.found.known.forget(values);
        self.found.vector.forget(values);
    }
}

impl Distribution {
    pub(super) fn new(vector: Vector<Histogram>, limit: usize) -> Self {
        Self { found: Found::new(vector, limit) }
    }

    /// Takes note of a value.
    pub fn observe(&self, values: &[&str], value: f64) {
        if let Some(series) = self.found.series(values) {
            series.observe(value);
        }
    }

    /// Takes note of a latency, kept in milliseconds.
    pub fn observe_latency(&self, values: &[&str], elapsed: Duration) {
        self.observe(values, milliseconds(elapsed));
    }

    /// Takes note of a size in bytes.
    pub fn observe_bytes(&self, values: &[&str], bytes: u64) {
        self.observe(values, as_float(bytes));
    }
}

impl Timed {
    pub(super) fn new(count: Vector<IntCounter>, latency: Vector<Histogram>, limit: usize) -> Self {
        Self { count, latency, known: Cache::new(limit) }
    }

    /// Counts one event and, unless it is zero, its latency.
    pub fn record(&self, values: &[&str], elapsed: Duration) {
        let Some((count, latency)) = self.series(values) else { return };
        count.inc();
        if !elapsed.is_zero() {
            latency.observe(milliseconds(elapsed));
        }
    }

    fn series(&self, values: &[&str]) -> Option<(IntCounter, Histogram)> {
        let make = || Some((self.count.series(values)?, self.latency.series(values)?));
        self.known.get(values).or_else(|| self.known.get_or_make(values, make)).or_else(make)
    }
}

impl<M: Instrument> Found<M> {
    fn new(vector: Vector<M>, limit: usize) -> Self {
        Self { vector, known: Cache::new(limit) }
    }

    fn series(&self, values: &[&str]) -> Option<M> {
        let make = || self.vector.series(values);
        self.known.get(values).or_else(|| self.known.get_or_make(values, make)).or_else(make)
    }
}

fn milliseconds(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1000.0
}

#[allow(clippy::cast_precision_loss)] // Sizes above 2^53 bytes do not occur.
fn as_float(bytes: u64) -> f64 {
    bytes as f64
}
