//! The sections `metric` and `metrics` of a Configuration (surface.md 3.3).
use super::document::Document;
use foundation_telemetry::{HttpMetrics, MetricsSettings, RewriteRule};

/// How metrics are kept; none when they are switched off. The app id and the namespace are left empty.
pub(super) fn settings(spec: &Document) -> Option<MetricsSettings> {
    let section = |name: &str| {
        let newer = spec.get("metrics").get(name);
        if newer.value().is_null() { spec.get("metric").get(name) } else { newer }
    };
    if section("enabled").value() == false {
        return None;
    }
    let mut settings = MetricsSettings::new("", "");
    settings.http = http(&section("http"));
    settings.record_error_codes = section("recordErrorCodes").value() == true;
    settings.rules = section("rules").items().iter().flat_map(rules).collect();
    let buckets: Vec<f64> = section("latencyDistributionBuckets").items().iter().filter_map(Document::number).collect();
    if !buckets.is_empty() {
        settings.latency_buckets = buckets;
    }
    Some(settings)
}

fn http(section: &Document) -> HttpMetrics {
    HttpMetrics {
        increased_cardinality: section.get("increasedCardinality").value() != false,
        path_matching: section.strings("pathMatching"),
        exclude_verbs: section.bool("excludeVerbs"),
    }
}

fn rules(rule: &Document) -> Vec<RewriteRule> {
    let metric = rule.text("name");
    let of_label = |label: Document| {
        let (metric, name) = (metric.clone(), label.text("name"));
        let rewrite = move |(replacement, pattern)| RewriteRule {
            metric: metric.clone(),
            label: name.clone(),
            pattern,
            replacement,
        };
        label.texts("regex").into_iter().map(rewrite).collect::<Vec<_>>()
    };
    rule.list("labels").into_iter().flat_map(of_label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(spec: Value) -> Option<MetricsSettings> {
        settings(&Document::of(spec))
    }

    #[test]
    fn the_newer_section_wins_member_by_member() {
        let spec = json!({
            "metric": {"enabled": false, "recordErrorCodes": true},
            "metrics": {"enabled": true, "http": {"increasedCardinality": false, "pathMatching": ["/m"]}},
        });
        let settings = read(spec).unwrap();
        assert!(settings.record_error_codes && !settings.http.increased_cardinality);
        assert_eq!(settings.http.path_matching, ["/m"]);
    }

    #[test]
    fn metrics_can_be_switched_off() {
        assert!(read(json!({"metric": {"enabled": false}})).is_none());
        assert!(read(json!({})).is_some());
    }

    #[test]
    fn buckets_and_rules_are_read() {
        let label = json!({"name": "method", "regex": {"VERB": "GET|POST"}});
        let spec =
            json!({"metrics": {"latencyDistributionBuckets": [5, 50], "rules": [{"name": "m", "labels": [label]}]}});
        let settings = read(spec).unwrap();
        assert_eq!(settings.latency_buckets, [5.0, 50.0]);
        assert_eq!((settings.rules[0].pattern.as_str(), settings.rules[0].replacement.as_str()), ("GET|POST", "VERB"));
    }
}
