//! Spans and logs on their way to collectors on loopback.
use super::{Exporter, start_tracing};
use crate::trace::{OtlpSettings, Span, SpanContext, SpanKind, TraceSettings, Tracer};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use foundation_drain::Drain;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use prost::Message;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};

/// What a collector got.
struct Posted {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

type Posts = mpsc::UnboundedReceiver<Posted>;
type Call = (HeaderMap, ExportTraceServiceRequest);

/// A collector over HTTP.
async fn collector(drain: &Drain) -> (SocketAddr, Posts) {
    let (sender, posts) = mpsc::unbounded_channel();
    let take =
        async |State(sender): State<mpsc::UnboundedSender<Posted>>, uri: Uri, headers: HeaderMap, body: Bytes| {
            sender.send(Posted { path: uri.path().to_owned(), headers, body }).ok();
            StatusCode::ACCEPTED
        };
    (serve(Router::new().fallback(take).with_state(sender), drain).await, posts)
}

async fn serve(router: Router, drain: &Drain) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drain.spawn_until_stopped(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// A collector over gRPC.
struct Collector(mpsc::UnboundedSender<Call>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        self.0.send((metadata.into_headers(), message)).ok();
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn start(settings: &TraceSettings, drain: &Drain) -> (Tracer, Exporter) {
    let settings = TraceSettings { app_id: "app".to_owned(), sampling_rate: "1".to_owned(), ..settings.clone() };
    start_tracing(&settings, drain).unwrap()
}

fn span(tracer: &Tracer) -> Span {
    let span = tracer.start("/v1.0/State", SpanKind::Client, &SpanContext::default());
    span.set("db.name", "store");
    span.fail("no");
    span
}

fn plain(otlp: OtlpSettings) -> TraceSettings {
    let headers = vec![("x-api-key".to_owned(), "secret".to_owned())];
    TraceSettings { otlp: Some(OtlpSettings { secure: false, headers, ..otlp }), ..TraceSettings::default() }
}

#[tokio::test]
async fn zipkin_gets_its_json() {
    let drain = Drain::new();
    let (address, mut posts) = collector(&drain).await;
    let zipkin = Some(format!("http://{address}/api/v2/spans"));
    let (tracer, _) = start(&TraceSettings { zipkin, ..TraceSettings::default() }, &drain);
    let parent = span(&tracer);
    let (trace, above) = (parent.context().trace_id(), parent.context().traceparent());
    parent.child("child", SpanKind::Producer).end();
    parent.end();
    let posted = posts.recv().await.unwrap();
    assert_eq!(
        (posted.path.as_str(), &posted.headers["content-type"]),
        ("/api/v2/spans", &"application/json".parse().unwrap())
    );
    let spans: Vec<Value> = serde_json::from_slice(&posted.body).unwrap();
    assert_eq!((spans[0]["name"].as_str(), spans[0]["kind"].as_str()), (Some("child"), Some("PRODUCER")));
    assert_eq!(spans[0]["traceId"], trace);
    assert!(above.contains(spans[0]["parentId"].as_str().unwrap()));
    assert_eq!((spans[1]["name"].as_str(), spans[1].get("parentId")), (Some("/v1.0/state"), None));
    assert_eq!((&spans[1]["tags"]["db.name"], &spans[1]["tags"]["error"]), (&"store".into(), &"no".into()));
    assert_eq!(spans[1]["localEndpoint"]["serviceName"], "app");
}

#[tokio::test]
async fn otlp_goes_over_http() {
    let drain = Drain::new();
    let (address, mut posts) = collector(&drain).await;
    let (tracer, exporter) = start(&plain(OtlpSettings::new("http", &address.to_string()).unwrap()), &drain);
    span(&tracer).end();
    let posted = posts.recv().await.unwrap();
    assert_eq!((posted.path.as_str(), &posted.headers["x-api-key"]), ("/v1/traces", &"secret".parse().unwrap()));
    let request = ExportTraceServiceRequest::decode(posted.body).unwrap();
    assert_eq!(request.resource_spans[0].scope_spans[0].spans[0].name, "/v1.0/State");
    assert!(exporter.logs(vec![ResourceLogs::default()]));
    let posted = posts.recv().await.unwrap();
    assert_eq!(posted.path, "/v1/logs");
    assert_eq!(ExportLogsServiceRequest::decode(posted.body).unwrap().resource_logs.len(), 1);
}

#[tokio::test]
async fn otlp_goes_over_grpc() {
    let drain = Drain::new();
    let (sender, mut calls) = mpsc::unbounded_channel();
    let routes = tonic::service::Routes::new(TraceServiceServer::new(Collector(sender)));
    let address = serve(routes.into_axum_router(), &drain).await;
    let (tracer, exporter) = start(&plain(OtlpSettings::new("grpc", &address.to_string()).unwrap()), &drain);
    span(&tracer).end();
    let (headers, request) = calls.recv().await.unwrap();
    assert_eq!(headers["x-api-key"], "secret");
    let resource = request.resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(super::values::find(&resource.attributes, "service.name").as_deref(), Some("app"));
    assert!(exporter.traces(request.resource_spans));
    assert_eq!(calls.recv().await.unwrap().1.resource_spans.len(), 1);
}

#[tokio::test]
async fn the_last_spans_are_sent_at_the_end() {
    let (servers, drain) = (Drain::new(), Drain::new());
    let (address, mut posts) = collector(&servers).await;
    let zipkin = Some(format!("http://{address}/"));
    let (tracer, _) = start(&TraceSettings { zipkin, ..TraceSettings::default() }, &drain);
    (0..1500).for_each(|_| span(&tracer).end());
    drain.close(std::time::Duration::from_secs(30)).await;
    let spans = |posted: Posted| serde_json::from_slice::<Vec<Value>>(&posted.body).unwrap().len();
    let mut sent = 0;
    while let Ok(posted) = posts.try_recv() {
        sent += spans(posted);
    }
    assert_eq!(sent, 1500);
}

#[tokio::test]
async fn a_wrong_address_is_refused() {
    for zipkin in ["localhost", "/api/v2/spans", "http://"] {
        let settings = TraceSettings { zipkin: Some(zipkin.to_owned()), ..TraceSettings::default() };
        assert!(start_tracing(&settings, &Drain::new()).is_err(), "{zipkin}");
    }
    assert!(OtlpSettings::new("thrift", "localhost:1").is_err());
}
