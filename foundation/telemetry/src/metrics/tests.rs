//! What a scrape shows after some calls.
use super::{HttpMetrics, HttpServed, Ingress, Metrics, MetricsSettings, PolicyUse, RewriteRule};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

fn settings() -> MetricsSettings {
    MetricsSettings::new("app", "")
}

fn served(path: &str) -> HttpServed<'_> {
    HttpServed { method: "GET", path, status: 200, request_bytes: 0, response_bytes: 2, elapsed: MILLISECOND }
}

/// Asserts that a scrape has the lines.
fn check(metrics: &Metrics, lines: &[&str]) {
    let text = metrics.render();
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "no line {line} in\n{text}");
    }
}

/// Asserts that requests with these paths get this label.
fn check_path(http: HttpMetrics, path: &str, label: &str) {
    let metrics = Metrics::new(&MetricsSettings { http, ..settings() }).unwrap();
    metrics.http_served(served(path));
    let line =
        format!("dapr_http_server_request_count{{app_id=\"app\",method=\"GET\",path=\"{label}\",status=\"200\"}} 1");
    check(&metrics, &[&line]);
}

#[test]
fn operations_have_a_count_and_latencies() {
    let metrics = Metrics::new(&settings()).unwrap();
    metrics.state("store", "get", true, 3 * MILLISECOND);
    metrics.state("store", "get", true, 30 * MILLISECOND);
    let labels = r#"app_id="app",component="store",namespace="",operation="get",success="true""#;
    check(
        &metrics,
        &[
            &format!("dapr_component_state_count{{{labels}}} 2"),
            &format!("dapr_component_state_latencies_count{{{labels}}} 2"),
            &format!("dapr_component_state_latencies_sum{{{labels}}} 33"),
            &format!("dapr_component_state_latencies_bucket{{{labels},le=\"3\"}} 1"),
            "# TYPE dapr_component_state_latencies histogram",
        ],
    );
}

#[test]
fn an_event_that_the_app_did_not_see_has_no_latency() {
    let metrics = Metrics::new(&settings()).unwrap();
    let (process_status, status, elapsed) = ("drop", "success", Duration::ZERO);
    metrics.pubsub_ingress(Ingress { component: "pubsub", topic: "t", process_status, status, elapsed });
    assert!(metrics.render().contains("dapr_component_pubsub_ingress_count"));
    assert!(!metrics.render().contains("dapr_component_pubsub_ingress_latencies"));
}

#[test]
fn label_values_are_not_confused() {
    let metrics = Metrics::new(&settings()).unwrap();
    metrics.pubsub_egress("ab", "c", true, MILLISECOND);
    metrics.pubsub_egress("a", "bc", true, MILLISECOND);
    assert_eq!(
        metrics.render().lines().filter(|line| line.starts_with("dapr_component_pubsub_egress_count{")).count(),
        2
    );
}

#[test]
fn a_breaker_is_in_one_state() {
    let metrics = Metrics::new(&settings()).unwrap();
    let policy = PolicyUse {
        resource: "r",
        namespace: "",
        policy: "circuitbreaker",
        flow_direction: "outbound",
        target: "app_b",
        status: "open",
    };
    metrics.resiliency_executed(policy);
    let state = |status| {
        format!(
            "dapr_resiliency_cb_state{{app_id=\"app\",flow_direction=\"outbound\",name=\"r\",namespace=\"\",\
             policy=\"circuitbreaker\",status=\"{status}\",target=\"app_b\"}}"
        )
    };
    check(&metrics, &[&format!("{} 1", state("open")), &format!("{} 0", state("closed"))]);
}

#[test]
fn rules_rewrite_labels() {
    let rule = |metric: &str, label: &str, pattern: &str, replacement: &str| RewriteRule {
        metric: metric.to_owned(),
        label: label.to_owned(),
        pattern: pattern.to_owned(),
        replacement: replacement.to_owned(),
    };
    let rules = vec![
        rule("dapr_http_server_request_count", "method", "GET|POST", "VERB"),
        rule("http/server/request_count", "path", "/v1.0/state.*", "HIDDEN"),
    ];
    let metrics = Metrics::new(&MetricsSettings { rules, ..settings() }).unwrap();
    metrics.http_served(served("/v1.0/state/a/1"));
    metrics.http_served(served("/v1.0/state/b/1"));
    let rewritten = r#"dapr_http_server_request_count{app_id="app",method="VERB",path="HIDDEN",status="200"} 2"#;
    let others = r#"dapr_http_server_response_count{app_id="app",method="GET",path="/v1.0/state/a",status="200"} 1"#;
    check(&metrics, &[rewritten, others]);
}

#[test]
fn a_malformed_rule_is_refused() {
    let rule = RewriteRule {
        metric: "m".to_owned(),
        label: "l".to_owned(),
        pattern: "(".to_owned(),
        replacement: String::new(),
    };
    assert!(Metrics::new(&MetricsSettings { rules: vec![rule], ..settings() }).is_err());
}

#[test]
fn series_beyond_the_limit_are_counted_together() {
    let metrics = Metrics::new(&MetricsSettings { max_series: 2, ..settings() }).unwrap();
    for component in ["a", "b", "c", "d", "a"] {
        metrics.conversation(component, true, MILLISECOND);
    }
    check(
        &metrics,
        &[
            r#"dapr_component_conversation_count{app_id="app",component="a",namespace="",success="true"} 2"#,
            r#"dapr_component_conversation_count{app_id="app",component="overflow",namespace="overflow",success="overflow"} 2"#,
        ],
    );
}

#[test]
fn paths_are_cut_to_what_does_not_vary() {
    for (path, label) in [
        ("/v1.0/state/store/key", "/v1.0/state/store"),
        ("/v1.0/secrets/vault/name", "/v1.0/secrets/vault"),
        ("//v1.0//state/store/key", "/v1.0/state/store"),
        ("/v1.0/actors/Type/1/timer/name", "/v1.0/actors/Type/{id}/timer"),
        ("/actors/Type/1/method/m", "actors/Type/{id}/method/m"),
        ("/v1.0/workflows/dapr/id", "/v1.0/workflows/dapr/{instanceId}"),
        ("/v1.0/workflows/dapr/name/start", "/v1.0/workflows/dapr/name/start"),
        ("/v1.0/workflows/dapr/id/pause", "/v1.0/workflows/dapr/{instanceId}/pause"),
        ("/v1.0/workflows/dapr/id/raiseEvent/e", "/v1.0/workflows/dapr/{instanceId}/raiseEvent/{eventName}"),
        ("/v1.0/invoke/app/method/a/b", "/v1.0/invoke/app/method/a/b"),
        ("/nothing/here", "/nothing/here"),
    ] {
        check_path(HttpMetrics::default(), path, label);
    }
}

#[test]
fn without_increased_cardinality_only_patterns_are_labels() {
    let patterns = ["/m", "/v1.0/state/store/{key}", "/orders/{id}", "/orders/{id}/items/", "/orders/new"];
    let http = HttpMetrics {
        increased_cardinality: false,
        path_matching: patterns.map(str::to_owned).to_vec(),
        exclude_verbs: false,
    };
    for (path, label) in [
        ("/v1.0/state/store/a", "/v1.0/state/store/{key}"),
        ("/v1.0/state/other/a", ""),
        ("/v1.0/invoke/any/method/m", "/v1.0/invoke/{app_id}/method/m"),
        ("/v1.0/invoke/any/method/orders/1", "/v1.0/invoke/{app_id}/method/orders/{id}"),
        ("/v1.0/invoke/any/method/orders/new", "/v1.0/invoke/{app_id}/method/orders/new"),
        ("/v1.0/invoke/any/method/orders/1/items/2", "/v1.0/invoke/{app_id}/method/orders/{id}/items/"),
        ("/orders/", ""),
    ] {
        check_path(http.clone(), path, label);
    }
}

#[test]
fn a_disabled_handle_does_nothing() {
    let metrics = Metrics::disabled();
    metrics.state("store", "get", true, MILLISECOND);
    assert_eq!(metrics.render(), "");
}

#[test]
fn the_process_shows_its_memory() {
    let text = Metrics::new(&settings()).unwrap().render();
    for name in ["resident_memory_bytes", "virtual_memory_max_bytes", "open_fds", "max_fds", "start_time_seconds"] {
        assert!(text.contains(&format!("\nprocess_{name} ")), "{name}: {text}");
    }
    for name in ["cpu_seconds", "network_receive_bytes", "network_transmit_bytes"] {
        assert!(text.contains(&format!("\nprocess_{name}_total ")), "{name}: {text}");
    }
}
