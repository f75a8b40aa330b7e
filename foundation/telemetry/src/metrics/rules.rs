//! Rewriting of label values.
use super::error::MetricsError;
use super::settings::RewriteRule;
use regex::Regex;
use std::borrow::Cow;

/// All rules, compiled.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

/// The rules of one metric.
#[derive(Clone, Debug, Default)]
pub(super) struct MetricRules(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    metric: String,
    label: String,
    pattern: Regex,
    replacement: String,
}

impl Rules {
    /// Compiles them.
    ///
    /// # Errors
    /// A malformed regular expression.
    pub(super) fn new(rules: &[RewriteRule]) -> Result<Self, MetricsError> {
        rules.iter().map(Rule::new).collect::<Result<_, _>>().map(Self)
    }

    /// Those of the metric with this name.
    pub(super) fn of(&self, metric: &str) -> MetricRules {
        let metric = comparable(metric);
        MetricRules(self.0.iter().filter(|rule| rule.metric == metric).cloned().collect())
    }
}

impl MetricRules {
    /// The value after all rules of the label; an empty value stays empty.
    pub(super) fn rewrite<'a>(&self, label: &str, value: &'a str) -> Cow<'a, str> {
        let mut rewritten = Cow::Borrowed(value);
        for rule in self.0.iter().filter(|rule| rule.label == label && !value.is_empty()) {
            rewritten = Cow::Owned(rule.pattern.replace_all(&rewritten, rule.replacement.as_str()).into_owned());
        }
        rewritten
    }
}

impl Rule {
    fn new(rule: &RewriteRule) -> Result<Self, MetricsError> {
        let pattern = Regex::new(&rule.pattern).map_err(|reason| MetricsError::Rule {
            rule: rule.metric.clone(),
            label: rule.label.clone(),
            reason: Box::new(reason),
        })?;
        Ok(Self {
            metric: comparable(&rule.metric),
            label: rule.label.clone(),
            pattern,
            replacement: rule.replacement.clone(),
        })
    }
}

/// Metrics are named by `dapr_a_b`, `a_b` and `a/b` alike.
fn comparable(metric: &str) -> String {
    metric.strip_prefix("dapr_").unwrap_or(metric).replace(['/', '.'], "_")
}
