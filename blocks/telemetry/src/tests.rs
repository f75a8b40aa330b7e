//! Exports in both encodings over both transports.
use crate::{Service, endpoints, routes};
use axum::body::Body;
use foundation_drain::Drain;
use foundation_telemetry::{Exporter, Metrics, MetricsSettings};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use proptest::prelude::*;
use prost::Message;
use std::io::Write;
use std::sync::Arc;
use tower::ServiceExt;

const METRICS: &str = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"unknown_service:node"}}]},
    "scopeMetrics":[{"metrics":[{"name":"orders","sum":{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[{"asInt":5}]}}]}]}]}"#;
const LINE: &str = r#"orders_total{app_id="app",job="app"} 5"#;

fn request() -> ExportMetricsServiceRequest {
    serde_json::from_str(METRICS).unwrap()
}

fn service() -> (Metrics, Arc<Service>) {
    let metrics = Metrics::new(&MetricsSettings::new("app", "")).unwrap();
    (metrics.clone(), Arc::new(Service::new("app".to_owned(), metrics, Exporter::default())))
}

/// Posts a body; what is answered.
async fn post(service: Arc<Service>, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (StatusCode, Vec<u8>) {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let router = endpoints(service).into_router(|_| true);
    let response = router.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    (response.status(), response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

async fn check(headers: &[(&str, &str)], body: Vec<u8>) {
    let (metrics, service) = service();
    assert_eq!(post(service, "/v1/metrics", headers, body).await.0, StatusCode::OK, "{headers:?}");
    assert!(metrics.render().contains(LINE), "{headers:?}");
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn both_encodings_are_taken() {
    check(&[("content-type", "application/json; charset=utf-8")], METRICS.into()).await;
    check(&[("content-type", "application/x-protobuf")], request().encode_to_vec()).await;
    check(&[("content-type", "application/json"), ("content-encoding", "gzip")], gzipped(METRICS.as_bytes())).await;
}

#[tokio::test]
async fn the_answer_has_the_encoding_of_the_request() {
    let json = [("content-type", "application/json")];
    let answer = post(service().1, "/v1/traces", &json, b"{\"resourceSpans\":[]}".to_vec()).await;
    assert_eq!(answer, (StatusCode::OK, b"{}".to_vec()));
    let own = METRICS.replace("orders", "dapr_orders").into_bytes();
    let (_, body) = post(service().1, "/v1/metrics", &json, own).await;
    let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["partialSuccess"]["rejectedDataPoints"], 1, "{answer}");
    let protobuf = [("content-type", "application/x-protobuf")];
    let (_, body) = post(service().1, "/v1/metrics", &protobuf, request().encode_to_vec()).await;
    assert_eq!(ExportMetricsServiceResponse::decode(body.as_slice()).unwrap().partial_success, None);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let bomb = gzipped(&vec![0; crate::encoding::MOST + 1]);
    let large = vec![b' '; crate::encoding::MOST + 1];
    for (kind, encoding, body, expected) in [
        ("", "", b"{}".to_vec(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("text/plain", "", b"{}".to_vec(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/json", "br", Vec::new(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/json", "", b"{".to_vec(), StatusCode::BAD_REQUEST),
        ("application/json", "gzip", bomb, StatusCode::PAYLOAD_TOO_LARGE),
        ("application/json", "", large, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let headers = [("content-type", kind), ("content-encoding", encoding)];
        assert_eq!(post(service().1, "/v1/logs", &headers, body).await.0, expected, "{headers:?}");
    }
}

#[tokio::test]
async fn grpc_is_spoken() {
    let (drain, (metrics, service)) = (Drain::new(), service());
    let mut client = MetricsServiceClient::new(routes(service).into_axum_router())
        .send_compressed(tonic::codec::CompressionEncoding::Gzip);
    client.export(request()).await.unwrap();
    assert!(metrics.render().contains(LINE));
    drain.close(std::time::Duration::ZERO).await;
}

proptest! {
    /// Any body is taken or refused, in either encoding.
    #[test]
    fn any_body_is_answered(body in proptest::collection::vec(any::<u8>(), 0..200), json in any::<bool>()) {
        let encoding = if json { crate::encoding::Encoding::Json } else { crate::encoding::Encoding::Protobuf };
        if let Ok(request) = encoding.read(&body) {
            service().1.logs(request).unwrap();
        }
    }
}
