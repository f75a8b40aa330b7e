//! Data points of OTLP as values that can be kept, added up and rendered.
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets as Exponential;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint,
    SummaryDataPoint,
};
use prometheus::proto::MetricType;

/// Buckets of one histogram.
const MOST_BUCKETS: usize = 1000;

/// All points of one metric.
pub(super) struct Series<'a> {
    pub(super) kind: MetricType,
    /// Whether values are to be added to those before.
    pub(super) delta: bool,
    pub(super) points: Vec<Point<'a>>,
}

/// One point; without a value when the series has ended.
pub(super) struct Point<'a> {
    pub(super) attributes: &'a [KeyValue],
    pub(super) value: Result<Option<Value>, &'static str>,
}

/// A value at a time.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Histogram(Histogram),
    Summary { count: u64, sum: f64, quantiles: Vec<(f64, f64)> },
}

/// Counts between bounds; there is one count more than bounds, that above the last.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histogram {
    pub(super) bounds: Vec<f64>,
    pub(super) counts: Vec<u64>,
    pub(super) count: u64,
    pub(super) sum: f64,
}

impl<'a> Point<'a> {
    pub(super) fn of(attributes: &'a [KeyValue], value: Value) -> Self {
        Self { attributes, value: Ok(Some(value)) }
    }

    fn new(attributes: &'a [KeyValue], flags: u32, value: impl FnOnce() -> Result<Value, &'static str>) -> Self {
        let ended = flags & DataPointFlags::NoRecordedValueMask as u32 != 0;
        Self { attributes, value: if ended { Ok(None) } else { value().map(Some) } }
    }
}

/// The points of a metric; none of one without data.
pub(super) fn series(metric: &Metric) -> Option<Series<'_>> {
    let is_delta = |temporality: i32| temporality == AggregationTemporality::Delta as i32;
    Some(match metric.data.as_ref()? {
        Data::Gauge(gauge) => {
            Series { kind: MetricType::GAUGE, delta: false, points: gauge.data_points.iter().map(of_number).collect() }
        }
        Data::Sum(sum) => Series {
            kind: if sum.is_monotonic { MetricType::COUNTER } else { MetricType::GAUGE },
            delta: is_delta(sum.aggregation_temporality),
            points: sum.data_points.iter().map(of_number).collect(),
        },
        Data::Histogram(histogram) => Series {
            kind: MetricType::HISTOGRAM,
            delta: is_delta(histogram.aggregation_temporality),
            points: histogram.data_points.iter().map(of_histogram).collect(),
        },
        Data::ExponentialHistogram(histogram) => Series {
            kind: MetricType::HISTOGRAM,
            delta: is_delta(histogram.aggregation_temporality),
            points: histogram.data_points.iter().map(of_exponential).collect(),
        },
        Data::Summary(summary) => Series {
            kind: MetricType::SUMMARY,
            delta: false,
            points: summary.data_points.iter().map(of_summary).collect(),
        },
    })
}

#[allow(clippy::cast_precision_loss)] // Prometheus has floats only.
fn of_number(point: &NumberDataPoint) -> Point<'_> {
    let value = || match point.value {
        Some(Number::AsDouble(number)) => Ok(Value::Number(number)),
        Some(Number::AsInt(number)) => Ok(Value::Number(number as f64)),
        None => Err("a data point has no value"),
    };
    Point::new(&point.attributes, point.flags, value)
}

fn of_histogram(point: &HistogramDataPoint) -> Point<'_> {
    let value = || {
        let (bounds, counts) = (&point.explicit_bounds, &point.bucket_counts);
        let counts = if counts.is_empty() && bounds.is_empty() { vec![point.count] } else { counts.clone() };
        if bounds.len() > MOST_BUCKETS || counts.len() != bounds.len() + 1 {
            return Err("a histogram has too many buckets, or counts that do not fit them");
        }
        if !bounds.is_sorted_by(|one, next| one < next) || bounds.iter().any(|bound| bound.is_nan()) {
            return Err("the bounds of a histogram are not in order");
        }
        let sum = point.sum.unwrap_or_default();
        Ok(Value::Histogram(Histogram { bounds: bounds.clone(), counts, count: point.count, sum }))
    };
    Point::new(&point.attributes, point.flags, value)
}

fn of_exponential(point: &ExponentialHistogramDataPoint) -> Point<'_> {
    let value = || {
        let sides = [&point.negative, &point.positive].map(|side| side.clone().unwrap_or_default());
        if sides.iter().any(|side| side.bucket_counts.len() > MOST_BUCKETS) {
            return Err("a histogram has too many buckets");
        }
        let mut histogram =
            Histogram { bounds: Vec::new(), counts: vec![0], count: point.count, sum: point.sum.unwrap_or_default() };
        for (bound, count) in exponential(point.scale, &sides, point.zero_threshold.abs(), point.zero_count) {
            histogram.push(bound, count);
        }
        Ok(Value::Histogram(histogram))
    };
    Point::new(&point.attributes, point.flags, value)
}

/// Upper bounds with their counts, in order: below zero, around it, above it.
fn exponential(scale: i32, [negative, positive]: &[Exponential; 2], zero: f64, zeros: u64) -> Vec<(f64, u64)> {
    let bound = |exponent: i64| (exponent_as_float(exponent) * (-f64::from(scale)).exp2()).exp2();
    let at = |side: &Exponential, index: usize| {
        i64::from(side.offset).saturating_add(i64::try_from(index).unwrap_or(i64::MAX))
    };
    let below = negative.bucket_counts.iter().enumerate().rev();
    let below = below.map(|(index, count)| (-bound(at(negative, index)), *count));
    let above = positive.bucket_counts.iter().enumerate();
    let above = above.map(|(index, count)| (bound(at(positive, index) + 1), *count));
    let around = (zeros > 0).then_some((zero, zeros));
    below.chain(around).chain(above).collect()
}

#[allow(clippy::cast_precision_loss)] // Exponents are small; what is not becomes an infinite bound.
fn exponent_as_float(exponent: i64) -> f64 {
    exponent as f64
}

fn of_summary(point: &SummaryDataPoint) -> Point<'_> {
    let value = || {
        if point.quantile_values.len() > MOST_BUCKETS {
            return Err("a summary has too many quantiles");
        }
        let quantiles = point.quantile_values.iter().map(|one| (one.quantile, one.value)).collect();
        Ok(Value::Summary { count: point.count, sum: point.sum, quantiles })
    };
    Point::new(&point.attributes, point.flags, value)
}

impl Value {
    /// Adds what came since.
    pub(super) fn add(&mut self, other: Self) {
        match (self, other) {
            (Self::Number(number), Self::Number(more)) => *number += more,
            (Self::Histogram(histogram), Self::Histogram(more)) => histogram.add(&more),
            (value, other) => *value = other,
        }
    }
}

impl Histogram {
    /// Adds a bucket above all others; one that is not above them is part of the last.
    fn push(&mut self, bound: f64, count: u64) {
        let is_above = self.bounds.last().is_none_or(|last| *last < bound);
        if bound.is_finite() && is_above {
            self.bounds.push(bound);
            self.counts.insert(self.counts.len() - 1, count);
        } else if bound.is_finite() {
            let last = self.counts.len().saturating_sub(2);
            self.counts[last] = self.counts[last].saturating_add(count);
        } else if bound < 0.0 {
            self.push(f64::MIN, count);
        } else {
            let last = self.counts.len() - 1;
            self.counts[last] = self.counts[last].saturating_add(count);
        }
    }

    /// Adds counts; those with other bounds to the bucket that holds their upper bound.
    fn add(&mut self, more: &Self) {
        self.count = self.count.saturating_add(more.count);
        self.sum += more.sum;
        for (index, count) in more.counts.iter().enumerate() {
            let bound = more.bounds.get(index).copied().unwrap_or(f64::INFINITY);
            let bucket = self.bounds.partition_point(|own| *own < bound);
            self.counts[bucket] = self.counts[bucket].saturating_add(*count);
        }
    }
}
