//! Telemetry that an app exports to its sidecar.
use crate::app::App;
use crate::client::over_tcp;
use crate::sidecar::{Setup, free_port};
use crate::wait::until;
use http::{Method, StatusCode};

const RESOURCE: &str =
    r#""resource":{"attributes":[{"key":"service.name","value":{"stringValue":"unknown_service"}}]}"#;

fn configuration(collector: u16) -> String {
    format!(
        r#"{{"apiVersion": "dapr.io/v1alpha1", "kind": "Configuration", "metadata": {{"name": "c"}}, "spec": {{"tracing": {{
            "samplingRate": "1", "otel": {{"endpointAddress": "127.0.0.1:{collector}", "protocol": "http", "isSecure": false}}}}}}}}"#
    )
}

/// Whether a text is in one of the bodies that came to a path.
fn came(collector: &App, path: &str, text: &str) -> bool {
    collector.bodies(path).iter().any(|body| String::from_utf8_lossy(body).contains(text))
}

#[tokio::test]
async fn metrics_are_scraped_and_traces_and_logs_passed_on() {
    let (collector, metrics_port) = (App::start(&[]).await, free_port());
    let mut setup = Setup::new("shop", None).flag("--metrics-port", &metrics_port.to_string());
    setup.configuration = Some(configuration(collector.port));
    let sidecar = setup.start().await;

    let point =
        r#"{"name":"orders","sum":{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[{"asInt":"5"}]}}"#;
    let metrics = format!(r#"{{"resourceMetrics":[{{{RESOURCE},"scopeMetrics":[{{"metrics":[{point}]}}]}}]}}"#);
    let (status, body) = sidecar.post("/v1/metrics", metrics).await.unwrap();
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"{}"[..]));
    let (_, scraped) = over_tcp(metrics_port, Method::GET, "/", "").await.unwrap();
    let scraped = String::from_utf8_lossy(&scraped);
    assert!(scraped.contains(r#"orders_total{app_id="shop",job="shop"} 5"#), "{scraped}");

    let (trace, span) = ("5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174");
    let spans = format!(r#"[{{"traceId":"{trace}","spanId":"{span}","name":"checkout"}}]"#);
    let traces = format!(r#"{{"resourceSpans":[{{{RESOURCE},"scopeSpans":[{{"spans":{spans}}}]}}]}}"#);
    assert_eq!(sidecar.post("/v1/traces", traces).await.unwrap().0, StatusCode::OK);
    let logs = r#"[{"body":{"stringValue":"paid"}}]"#;
    let logs = format!(r#"{{"resourceLogs":[{{{RESOURCE},"scopeLogs":[{{"logRecords":{logs}}}]}}]}}"#);
    assert_eq!(sidecar.post("/v1/logs", logs).await.unwrap().0, StatusCode::OK);
    until("the collector has both", async || {
        came(&collector, "/v1/traces", "checkout") && came(&collector, "/v1/logs", "paid")
    })
    .await;
    assert!(came(&collector, "/v1/traces", "dapr.app_id") && came(&collector, "/v1/logs", "dapr.app_id"));
    assert!(!came(&collector, "/v1/traces", "/v1/metrics"), "exports have no spans");
}
