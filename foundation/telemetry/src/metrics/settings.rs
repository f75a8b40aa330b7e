//! How metrics are kept (Configuration `spec.metrics`, contract surface 3.3).

/// Upper bounds of latency histograms in milliseconds when none are configured (Dapr 1.18).
const LATENCY_BUCKETS: [u32; 34] = [
    1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300, 400, 500, 650, 800,
    1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000,
];

/// Series that one metric may have; what comes later is counted together.
const MAX_SERIES: usize = 4000;

/// How the metrics of one sidecar are kept.
#[derive(Clone, Debug)]
pub struct MetricsSettings {
    /// The label `app_id` of every series.
    pub app_id: String,
    /// The label `namespace` of component metrics; empty when the process was given none.
    pub namespace: String,
    /// Upper bounds of latency histograms, in milliseconds.
    pub latency_buckets: Vec<f64>,
    /// Rewrite values of labels.
    pub rules: Vec<RewriteRule>,
    pub http: HttpMetrics,
    /// Keeps `dapr_error_code_total`.
    pub record_error_codes: bool,
    /// Series that one metric may have before further ones are counted under the label values `overflow`.
    pub max_series: usize,
}

/// How calls over HTTP are labelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpMetrics {
    /// Whether paths that match no pattern are labels too.
    pub increased_cardinality: bool,
    /// Patterns such as `/orders/{id}` in the form of Go's `ServeMux`.
    pub path_matching: Vec<String>,
    /// Leaves the label `method` empty.
    pub exclude_verbs: bool,
}

/// Replaces what a regular expression finds in the values of one label of one metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewriteRule {
    /// The metric, in any of the forms `dapr_http_server_latency` and `http/server/latency`.
    pub metric: String,
    pub label: String,
    /// The regular expression.
    pub pattern: String,
    /// What takes the place of each match; `$1` is its first group.
    pub replacement: String,
}

impl MetricsSettings {
    /// Dapr's defaults.
    pub fn new(app_id: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self {
            app_id: app_id.into(),
            namespace: namespace.into(),
            latency_buckets: default_latency_buckets(),
            rules: Vec::new(),
            http: HttpMetrics::default(),
            record_error_codes: false,
            max_series: MAX_SERIES,
        }
    }
}

impl Default for HttpMetrics {
    fn default() -> Self {
        Self { increased_cardinality: true, path_matching: Vec::new(), exclude_verbs: false }
    }
}

/// Upper bounds of latency histograms, in milliseconds.
pub(super) fn default_latency_buckets() -> Vec<f64> {
    LATENCY_BUCKETS.iter().copied().map(f64::from).collect()
}

/// Series that one metric may have when nothing else is said.
pub(super) const fn default_max_series() -> usize {
    MAX_SERIES
}
