//! What a scrape shows of metrics that the app exported.
use super::names::metric_name;
use super::*;
use crate::metrics::MetricsSettings;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use proptest::prelude::*;
use prost::Message;

const RESOURCE: &str = r#"{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},{"key":"host.name","value":{"stringValue":"h"}}]}"#;

fn metrics(max_series: usize) -> Metrics {
    Metrics::new(&MetricsSettings { max_series, ..MetricsSettings::new("app", "") }).unwrap()
}

fn export(metrics: &Metrics, metric: &str) -> Rejected {
    let text = format!(
        r#"{{"resourceMetrics":[{{"resource":{RESOURCE},"scopeMetrics":[{{"scope":{{"name":"lib"}},"metrics":[{metric}]}}]}}]}}"#
    );
    let request: ExportMetricsServiceRequest = serde_json::from_str(&text).unwrap();
    metrics.app_metrics(&request.resource_metrics)
}

fn sum(name: &str, temporality: u8, points: &[(&str, u64)]) -> String {
    let point = |(label, value): &(&str, u64)| {
        format!(r#"{{"attributes":[{{"key":"a.b","value":{{"stringValue":"{label}"}}}}],"asInt":"{value}"}}"#)
    };
    let points: Vec<_> = points.iter().map(point).collect();
    format!(
        r#"{{"name":"{name}","sum":{{"isMonotonic":true,"aggregationTemporality":{temporality},"dataPoints":[{}]}}}}"#,
        points.join(",")
    )
}

fn lines(metrics: &Metrics, start: &str) -> Vec<String> {
    metrics.render().lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}

#[test]
fn names_follow_the_specification() {
    for (name, unit, kind, expected) in [
        ("http.server.duration", "ms", MetricType::HISTOGRAM, "http_server_duration_milliseconds"),
        ("orders", "{order}", MetricType::COUNTER, "orders_total"),
        ("orders_total", "", MetricType::COUNTER, "orders_total"),
        ("use", "1", MetricType::GAUGE, "use_ratio"),
        ("use", "1", MetricType::COUNTER, "use_total"),
        ("speed", "By/s", MetricType::GAUGE, "speed_bytes_per_second"),
        ("a__b--c", "", MetricType::GAUGE, "a_b_c"),
        ("size_bytes", "By", MetricType::GAUGE, "size_bytes"),
        ("2xx", "", MetricType::GAUGE, "_2xx"),
    ] {
        assert_eq!(metric_name(name, unit, kind), expected, "{name} {unit}");
    }
}

#[test]
fn a_counter_has_the_labels_of_its_app() {
    let metrics = metrics(10);
    assert_eq!(export(&metrics, &sum("orders", 2, &[("x", 5)])), Rejected::default());
    let labels = r#"a_b="x",app_id="app",job="shop",otel_scope_name="lib""#;
    assert_eq!(lines(&metrics, "orders_total"), [format!("orders_total{{{labels}}} 5")]);
    assert_eq!(lines(&metrics, "target_info"), [r#"target_info{app_id="app",host_name="h",job="shop"} 1"#]);
    export(&metrics, &sum("orders", 2, &[("x", 7)]));
    assert_eq!(lines(&metrics, "orders_total"), [format!("orders_total{{{labels}}} 7")]);
}

#[test]
fn deltas_are_added_up() {
    let metrics = metrics(10);
    export(&metrics, &sum("orders", 1, &[("x", 5)]));
    export(&metrics, &sum("orders", 1, &[("x", 7)]));
    assert!(lines(&metrics, "orders_total")[0].ends_with("} 12"));
}

#[test]
fn what_there_is_no_room_for_is_counted_together() {
    let metrics = metrics(1);
    for _ in 0..2 {
        export(&metrics, &sum("orders", 2, &[("x", 1), ("y", 2), ("z", 3)]));
    }
    assert_eq!(lines(&metrics, "orders_total")[1], r#"orders_total{app_id="app",otel_metric_overflow="true"} 5"#);
}

#[test]
fn histograms_keep_their_buckets() {
    let metrics = metrics(10);
    let point = r#"{"count":"4","sum":9.5,"bucketCounts":["1","2","1"],"explicitBounds":[1,5]}"#;
    export(
        &metrics,
        &format!(r#"{{"name":"t","unit":"s","histogram":{{"aggregationTemporality":2,"dataPoints":[{point}]}}}}"#),
    );
    let values: Vec<_> =
        lines(&metrics, "t_seconds").iter().map(|line| line.rsplit_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(values, ["1", "3", "4", "9.5", "4"]);
}

#[test]
fn exponential_histograms_get_bounds() {
    let metrics = metrics(10);
    let point = r#"{"count":"6","sum":3,"scale":0,"zeroCount":"1","zeroThreshold":0,
        "positive":{"offset":0,"bucketCounts":["1","2"]},"negative":{"offset":1,"bucketCounts":["2"]}}"#;
    export(
        &metrics,
        &format!(r#"{{"name":"t","exponentialHistogram":{{"aggregationTemporality":2,"dataPoints":[{point}]}}}}"#),
    );
    let found = lines(&metrics, "t_bucket");
    let short: Vec<_> = found.iter().map(|line| line.split_once("le=").unwrap().1).collect();
    assert_eq!(short, [r#""-2"} 2"#, r#""0"} 3"#, r#""2"} 4"#, r#""4"} 6"#, r#""+Inf"} 6"#]);
}

#[test]
fn the_sidecar_keeps_its_names() {
    let metrics = metrics(10);
    assert_eq!(export(&metrics, &sum("dapr.http", 2, &[("x", 1)])).points, 1);
    assert_eq!(export(&metrics, &sum("t", 2, &[("x", 1)])).points, 0);
    let gauge = r#"{"name":"t_total","gauge":{"dataPoints":[{"asDouble":1}]}}"#;
    assert_eq!(export(&metrics, gauge).points, 1);
    export(&metrics, r#"{"name":"process_open_fds","gauge":{"dataPoints":[{"asDouble":-1}]}}"#);
    assert_eq!(lines(&metrics, "process_open_fds").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_reported_any_more_is_forgotten() {
    let metrics = metrics(10);
    export(&metrics, &sum("orders", 2, &[("x", 1)]));
    tokio::time::advance(LIFETIME).await;
    assert!(lines(&metrics, "orders_total").is_empty());
}

proptest! {
    /// Whatever bytes decode, can be kept and rendered.
    #[test]
    fn any_export_can_be_rendered(
        name in ".{0,12}", unit in ".{0,6}", scale in any::<i32>(), offset in any::<i32>(),
        counts in proptest::collection::vec(any::<u64>(), 0..8), bounds in proptest::collection::vec(any::<f64>(), 0..8),
    ) {
        let metrics = metrics(4);
        let buckets = serde_json::json!({"offset": offset, "bucketCounts": counts});
        let exponential = serde_json::json!({"scale": scale, "count": 1, "positive": buckets, "negative": buckets, "zeroCount": 2});
        let explicit = serde_json::json!({"bucketCounts": counts, "explicitBounds": bounds, "count": 1});
        let metric = |data: &str, point: serde_json::Value| {
            serde_json::json!({"name": name, "unit": unit, data: {"aggregationTemporality": 1, "dataPoints": [point.clone(), point]}}).to_string()
        };
        export(&metrics, &metric("exponentialHistogram", exponential));
        export(&metrics, &metric("histogram", explicit));
        metrics.render();
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        if let Ok(request) = ExportMetricsServiceRequest::decode(bytes.as_slice()) {
            let metrics = metrics(4);
            metrics.app_metrics(&request.resource_metrics);
            metrics.render();
        }
    }
}
