//! What can be wrong with the settings of metrics.
use thiserror::Error;

/// Settings that metrics cannot be made from.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// The regular expression of a rule does not parse.
    #[error("cannot parse the regular expression of metric rule {rule}, label {label}: {reason}")]
    Rule { rule: String, label: String, reason: Box<regex::Error> },
    /// A name or label that Prometheus does not allow, or one that is taken.
    #[error("cannot register metric {name}: {reason}")]
    Register { name: String, reason: Box<prometheus::Error> },
}
