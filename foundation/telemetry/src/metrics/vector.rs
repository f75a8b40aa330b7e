//! All series of one metric.
use super::cache::Cache;
use super::error::MetricsError;
use super::rules::MetricRules;
use prometheus::core::{Collector, Desc, Metric};
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Opts};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// What a metric is.
pub(super) struct Description {
    /// The full name.
    pub(super) name: String,
    pub(super) help: &'static str,
    pub(super) labels: &'static [&'static str],
    /// Labels that every series has, such as `app_id`.
    pub(super) fixed: Vec<(&'static str, String)>,
    pub(super) rules: MetricRules,
    /// Upper bounds, for histograms only.
    pub(super) buckets: Vec<f64>,
    pub(super) limit: usize,
}

/// All series of one metric. Clones share them.
pub(super) struct Vector<M: Instrument> {
    core: Arc<Core<M>>,
}

struct Core<M> {
    description: Description,
    collected: Desc,
    series: Cache<M>,
    /// Counts for all series above the limit.
    overflow: OnceLock<Option<M>>,
}

/// A kind of metric.
pub(super) trait Instrument: Metric + 'static {
    const KIND: MetricType;

    /// One series with these labels.
    fn build(options: Opts, buckets: &[f64]) -> prometheus::Result<Self>;

    /// Whether there is something to export.
    fn is_used(&self) -> bool {
        true
    }
}

impl<M: Instrument> Vector<M> {
    /// A metric without series.
    ///
    /// # Errors
    /// A name or label that Prometheus does not allow.
    pub(super) fn new(description: Description) -> Result<Self, MetricsError> {
        let labels = description.labels.iter().map(ToString::to_string).collect();
        let fixed = description.fixed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let collected = Desc::new(description.name.clone(), description.help.to_owned(), labels, fixed)
            .map_err(|reason| MetricsError::Register { name: description.name.clone(), reason: Box::new(reason) })?;
        let series = Cache::new(description.limit);
        Ok(Self { core: Arc::new(Core { description, collected, series, overflow: OnceLock::new() }) })
    }

    /// The series of these label values after the rules, made when it is new.
    pub(super) fn series(&self, values: &[&str]) -> Option<M> {
        let rewritten = self.core.rewritten(values);
        let rewritten: Vec<&str> = rewritten.iter().map(AsRef::as_ref).collect();
        let series = &self.core.series;
        series
            .get(&rewritten)
            .or_else(|| series.get_or_make(&rewritten, || self.core.build(&rewritten)))
            .or_else(|| self.core.overflow())
    }

    /// Ends the series of these label values after the rules.
    pub(super) fn forget(&self, values: &[&str]) {
        let rewritten = self.core.rewritten(values);
        self.core.series.forget(&rewritten.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    }
}

impl<M: Instrument> Core<M> {
    fn rewritten<'a>(&self, values: &[&'a str]) -> Vec<Cow<'a, str>> {
        let Description { labels, rules, .. } = &self.description;
        labels.iter().zip(values).map(|(label, value)| rules.rewrite(label, value)).collect()
    }

    fn build(&self, values: &[&str]) -> Option<M> {
        let Description { name, help, labels, fixed, rules, buckets, .. } = &self.description;
        let fixed = fixed.iter().map(|(label, value)| (*label, rules.rewrite(label, value)));
        let given = labels.iter().zip(values).map(|(label, value)| (*label, Cow::Borrowed(*value)));
        let all: HashMap<String, String> =
            fixed.chain(given).map(|(label, value)| (label.to_owned(), value.into_owned())).collect();
        M::build(Opts::new(name, *help).const_labels(all), buckets).ok()
    }

    fn overflow(&self) -> Option<M> {
        self.overflow.get_or_init(|| self.build(&vec!["overflow"; self.description.labels.len()])).clone()
    }
}

impl<M: Instrument> Collector for Vector<M> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.core.collected]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let overflow = self.core.overflow.get().cloned().flatten();
        let all = self.core.series.all().into_iter().chain(overflow);
        let mut family = MetricFamily::default();
        family.set_name(self.core.description.name.clone());
        family.set_help(self.core.description.help.to_owned());
        family.set_field_type(M::KIND);
        family.set_metric(all.filter(Instrument::is_used).map(|series| series.metric()).collect());
        vec![family]
    }
}

impl<M: Instrument> Clone for Vector<M> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core) }
    }
}

impl Instrument for IntCounter {
    const KIND: MetricType = MetricType::COUNTER;

    fn build(options: Opts, _: &[f64]) -> prometheus::Result<Self> {
        Self::with_opts(options)
    }

    fn is_used(&self) -> bool {
        self.get() > 0
    }
}

impl Instrument for IntGauge {
    const KIND: MetricType = MetricType::GAUGE;

    fn build(options: Opts, _: &[f64]) -> prometheus::Result<Self> {
        Self::with_opts(options)
    }
}

impl Instrument for Histogram {
    const KIND: MetricType = MetricType::HISTOGRAM;

    fn build(options: Opts, buckets: &[f64]) -> prometheus::Result<Self> {
        Self::with_opts(HistogramOpts { common_opts: options, buckets: buckets.to_vec() })
    }

    fn is_used(&self) -> bool {
        self.get_sample_count() > 0
    }
}
