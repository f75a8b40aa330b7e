//! Apps that speak gRPC.
use super::{get, listen, options, text};
use crate::{
    AppStatus, BulkEntry, BulkEvent, BulkPayload, CallContext, Called, Channel, Envelope, Error, EventStatus,
    HealthOptions, Origin, Protocol, TopicEvent, connect,
};
use axum::body::Body;
use bytes::Bytes;
use foundation_drain::Drain;
use futures_util::future::join_all;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use prost_types::Any;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Barrier;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Code, Response, Status, async_trait};
use wire::common::v1::{InvokeRequest, InvokeResponse};
use wire::runtime::v1::app_callback_alpha_server::{AppCallbackAlpha, AppCallbackAlphaServer};
use wire::runtime::v1::app_callback_health_check_server::{AppCallbackHealthCheck, AppCallbackHealthCheckServer};
use wire::runtime::v1::app_callback_server::{AppCallback, AppCallbackServer};
use wire::runtime::v1::*;

/// An app whose behaviour follows from what it is asked.
#[derive(Clone, Default)]
struct App {
    metadata: Arc<Mutex<HeaderMap>>,
    invoked: Arc<Mutex<InvokeRequest>>,
    event: Arc<Mutex<TopicEventRequest>>,
    barrier: Option<Arc<Barrier>>,
}

#[async_trait]
impl AppCallback for App {
    async fn on_invoke(&self, request: tonic::Request<InvokeRequest>) -> Result<Response<InvokeResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        *self.metadata.lock().unwrap() = metadata.into_headers();
        *self.invoked.lock().unwrap() = message.clone();
        if let Some(barrier) = &self.barrier {
            barrier.wait().await;
        }
        if message.method == "missing" {
            return Err(Status::not_found("sorry"));
        }
        let mut response = Response::new(InvokeResponse { data: message.data, content_type: "text/plain".to_owned() });
        response.metadata_mut().insert("x-h", "1".parse().unwrap());
        Ok(response)
    }

    async fn list_topic_subscriptions(
        &self,
        _: tonic::Request<()>,
    ) -> Result<Response<ListTopicSubscriptionsResponse>, Status> {
        let subscription = TopicSubscription {
            pubsub_name: "broker".to_owned(),
            topic: "orders".to_owned(),
            ..TopicSubscription::default()
        };
        Ok(Response::new(ListTopicSubscriptionsResponse { subscriptions: vec![subscription] }))
    }

    async fn on_topic_event(
        &self,
        request: tonic::Request<TopicEventRequest>,
    ) -> Result<Response<TopicEventResponse>, Status> {
        let message = request.into_inner();
        let status = match message.path.as_str() {
            "/drop" => topic_event_response::TopicEventResponseStatus::Drop.into(),
            "/odd" => 17,
            "/none" => return Err(Status::unimplemented("no")),
            "/error" => return Err(Status::aborted("later")),
            _ => 0,
        };
        *self.event.lock().unwrap() = message;
        Ok(Response::new(TopicEventResponse { status }))
    }

    async fn list_input_bindings(&self, _: tonic::Request<()>) -> Result<Response<ListInputBindingsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn on_binding_event(
        &self,
        _: tonic::Request<BindingEventRequest>,
    ) -> Result<Response<BindingEventResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn on_bulk_topic_event(
        &self,
        _: tonic::Request<TopicEventBulkRequest>,
    ) -> Result<Response<TopicEventBulkResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn on_job_event(&self, _: tonic::Request<JobEventRequest>) -> Result<Response<JobEventResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[async_trait]
impl AppCallbackAlpha for App {
    async fn on_bulk_topic_event_alpha1(
        &self,
        request: tonic::Request<TopicEventBulkRequest>,
    ) -> Result<Response<TopicEventBulkResponse>, Status> {
        let last = request.into_inner().entries.pop().unwrap();
        let status = TopicEventBulkResponseEntry { entry_id: last.entry_id, status: 0 };
        Ok(Response::new(TopicEventBulkResponse { statuses: vec![status] }))
    }

    async fn on_job_event_alpha1(
        &self,
        _: tonic::Request<JobEventRequest>,
    ) -> Result<Response<JobEventResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[async_trait]
impl AppCallbackHealthCheck for App {
    async fn health_check(&self, _: tonic::Request<()>) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse {}))
    }
}

async fn serve(app: App, drain: &Drain) -> u16 {
    let (listener, port) = listen().await;
    let server = Server::builder().max_concurrent_streams(20).add_service(AppCallbackServer::new(app.clone()));
    let server = server
        .add_service(AppCallbackAlphaServer::new(app.clone()))
        .add_service(AppCallbackHealthCheckServer::new(app));
    drain.spawn_until_stopped(
        async move { server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap() },
    );
    port
}

async fn channel(app: &App, drain: &Drain) -> Arc<dyn Channel> {
    let mut options = options(serve(app.clone(), drain).await, Protocol::Grpc);
    options.token = Some("secret".to_owned());
    connect(options, drain).unwrap()
}

#[tokio::test]
async fn the_trace_of_an_untraced_call_is_zeros_in_both_forms() {
    let (drain, app) = (Drain::new(), App::default());
    let channel = channel(&app, &drain).await;
    let zeros = "00-00000000000000000000000000000000-0000000000000000-00";
    let request = Request::post("/a").header("traceparent", zeros).body(Body::empty()).unwrap();
    channel.invoke(request).await.unwrap();
    let metadata = app.metadata.lock().unwrap().clone();
    assert_eq!(metadata["grpc-trace-bin"], "AAAAAAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAgA");
}

#[tokio::test]
async fn a_method_call_is_on_invoke() {
    let (drain, app) = (Drain::new(), App::default());
    let channel = channel(&app, &drain).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = Request::put("/a%20b/c?x=1")
        .header("content-type", "text/x")
        .header("x-custom", "1")
        .header("traceparent", trace);
    let request = request.header("connection", "x-gone").header("x-gone", "1").header("x-thing-bin", "AAEC");
    let response = channel.invoke(request.body(Body::from("hello")).unwrap()).await.unwrap();

    let invoked = app.invoked.lock().unwrap().clone();
    assert_eq!((invoked.method.as_str(), invoked.content_type.as_str()), ("a b/c", "text/x"));
    assert_eq!(invoked.http_extension.unwrap().querystring, "x=1");
    assert_eq!(invoked.data.unwrap().value, b"hello");
    let metadata = app.metadata.lock().unwrap().clone();
    assert_eq!(
        (&metadata["x-custom"], &metadata["dapr-content-type"], &metadata["dapr-api-token"]),
        (&"1".parse().unwrap(), &"text/x".parse().unwrap(), &"secret".parse().unwrap())
    );
    assert_eq!(metadata["x-thing-bin"], "QUFFQw");
    assert!(metadata.contains_key("grpc-trace-bin") && !metadata.contains_key("x-gone"));

    let status = response.extensions().get::<AppStatus>().unwrap();
    assert_eq!(status.status.code(), Code::Ok);
    assert_eq!(
        (response.status(), &response.headers()["x-h"], &response.headers()["content-type"]),
        (StatusCode::OK, &"1".parse().unwrap(), &"text/plain".parse().unwrap())
    );
    assert_eq!(text(response).await, "hello");
}

#[tokio::test]
async fn metadata_of_a_grpc_caller_stays_as_it_is() {
    let (drain, app) = (Drain::new(), App::default());
    let channel = channel(&app, &drain).await;
    let mut request =
        Request::post("/m").header("cookie", "a").header("x-thing-bin", "AAEC").body(Body::empty()).unwrap();
    // Answers to this sidecar are compressed when it can read them, not when its caller can.
    request.headers_mut().insert("grpc-accept-encoding", "gzip".parse().unwrap());
    request.extensions_mut().insert(CallContext {
        origin: Origin::Grpc,
        type_url: "t/x".to_owned(),
        no_verb: true,
        ..CallContext::default()
    });
    let response = channel.invoke(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/x-protobuf");
    assert_eq!(response.extensions().get::<AppStatus>().unwrap().type_url, "t/x");
    let (metadata, invoked) = (app.metadata.lock().unwrap().clone(), app.invoked.lock().unwrap().clone());
    assert_eq!((&metadata["cookie"], &metadata["x-thing-bin"]), (&"a".parse().unwrap(), &"AAEC".parse().unwrap()));
    assert!(!metadata.contains_key("grpc-accept-encoding"));
    assert_eq!(invoked.http_extension.unwrap().verb, 0);
    assert_eq!(invoked.data, Some(Any { type_url: "t/x".to_owned(), value: Vec::new() }));
}

#[tokio::test]
async fn a_method_and_its_query_may_be_any_text() {
    let (drain, app) = (Drain::new(), App::default());
    let channel = channel(&app, &drain).await;
    let called = Called { method: "%zz ü?#".to_owned(), query: "嘓 #=%".to_owned() };
    let mut request = Request::post("/").body(Body::empty()).unwrap();
    request.extensions_mut().insert(CallContext { called: Some(called.clone()), ..CallContext::default() });
    channel.invoke(request).await.unwrap();
    let invoked = app.invoked.lock().unwrap().clone();
    assert_eq!((invoked.method, invoked.http_extension.unwrap().querystring), (called.method, called.query));
}

#[tokio::test]
async fn statuses_become_http_statuses() {
    let (drain, app) = (Drain::new(), App::default());
    let response = channel(&app, &drain).await.invoke(get("/missing")).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(response.extensions().get::<AppStatus>().unwrap().status.code(), Code::NotFound);
    assert_eq!(text(response).await, r#"{"code":5,"message":"sorry"}"#);
}

#[tokio::test]
async fn an_app_that_is_not_there_is_unavailable() {
    let (listener, port) = listen().await;
    drop(listener);
    let channel = connect(options(port, Protocol::Grpc), &Drain::new()).unwrap();
    assert_eq!(channel.invoke(get("/m")).await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    let status = channel.grpc().forward(get("/any.Service/Method")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn an_event_is_taken_apart() {
    let (drain, app) = (Drain::new(), App::default());
    let channel = channel(&app, &drain).await;
    let envelope = json!({"id": "1", "source": "s", "type": "t", "specversion": "1.0", "datacontenttype": "application/json; charset=utf-8",
        "data": {"n": 1}, "color": "red", "size": 2});
    let mut event = TopicEvent {
        path: "/ok".to_owned(),
        topic: "orders".to_owned(),
        pubsub: "broker".to_owned(),
        ..TopicEvent::default()
    };
    event.envelope = envelope.as_object().unwrap().clone();
    assert_eq!(channel.event(&event).await.unwrap(), EventStatus::Success);
    let seen = app.event.lock().unwrap().clone();
    assert_eq!((seen.id.as_str(), seen.topic.as_str(), seen.pubsub_name.as_str()), ("1", "orders", "broker"));
    assert_eq!(seen.data, r#"{"n":1}"#);
    let mut names: Vec<String> = seen.extensions.unwrap().fields.into_keys().collect();
    names.sort();
    assert_eq!(names, ["color", "size"]);

    for (path, expected) in
        [("/drop", EventStatus::Drop), ("/odd", EventStatus::Retry), ("/none", EventStatus::Success)]
    {
        path.clone_into(&mut event.path);
        assert_eq!(channel.event(&event).await.unwrap(), expected, "{path}");
    }
    "/error".clone_into(&mut event.path);
    assert_eq!(channel.event(&event).await.unwrap_err().code(), Some(10));
    event.envelope.insert("datacontenttype".to_owned(), json!("text/plain"));
    assert!(matches!(channel.event(&event).await, Err(Error::Malformed(_))));
}

#[tokio::test]
async fn a_bulk_goes_to_the_old_method_of_old_apps() {
    let (drain, app) = (Drain::new(), App::default());
    let entry = |id: &str| BulkEntry {
        entry_id: id.to_owned(),
        event: BulkPayload::CloudEvent(Envelope::new()),
        content_type: String::new(),
        metadata: BTreeMap::new(),
    };
    let bulk = BulkEvent { entries: vec![entry("a"), entry("b")], ..BulkEvent::default() };
    let statuses = channel(&app, &drain).await.bulk_event(&bulk).await.unwrap();
    assert_eq!(statuses, [EventStatus::Retry, EventStatus::Success]);
}

#[tokio::test]
async fn subscriptions_have_a_route_always() {
    let (drain, app) = (Drain::new(), App::default());
    let found = channel(&app, &drain).await.subscriptions().await.unwrap();
    assert_eq!((found[0].rules.len(), found[0].rules[0].path.as_str()), (1, ""));
}

#[tokio::test]
async fn health_is_asked_for() {
    let (drain, app) = (Drain::new(), App::default());
    let mut options = options(serve(app, &drain).await, Protocol::Grpc);
    options.health = Some(HealthOptions {
        interval: Duration::from_millis(1),
        timeout: Duration::from_secs(5),
        ..HealthOptions::default()
    });
    let channel = connect(options, &drain).unwrap();
    assert!(!channel.health().is_healthy());
    channel.start_health_checks(&drain);
    channel.health().watch().wait_for(|healthy| *healthy).await.unwrap();
}

/// The app takes 20 calls on a connection.
#[tokio::test]
async fn many_calls_find_connections() {
    let drain = Drain::new();
    let app = App { barrier: Some(Arc::new(Barrier::new(150))), ..App::default() };
    let channel = channel(&app, &drain).await;
    let calls = join_all((0..150).map(|_| channel.invoke(get("/m"))));
    let answers = tokio::time::timeout(Duration::from_secs(20), calls).await.unwrap();
    assert!(answers.into_iter().all(|answer| answer.unwrap().status() == StatusCode::OK));
}

#[tokio::test]
async fn calls_are_passed_on_unread() {
    let drain = Drain::new();
    let (listener, port) = listen().await;
    let echo = |request: axum::extract::Request| async move {
        assert_eq!(request.headers()["dapr-api-token"], "secret");
        let trailers = HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), "5".parse().unwrap())]);
        Body::new(request.into_body().with_trailers(async move { Some(Ok(trailers)) }))
    };
    let router = axum::Router::new().route("/any.Service/Method", axum::routing::post(echo));
    drain.spawn_until_stopped(async move { axum::serve(listener, router).await.unwrap() });
    let mut options = options(port, Protocol::Grpc);
    options.token = Some("secret".to_owned());
    let channel = connect(options, &drain).unwrap();
    let request = Request::post("/any.Service/Method").body(Body::from(Bytes::from_static(b"raw"))).unwrap();
    let answer = channel.grpc().forward(request).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(answer.trailers().unwrap()["grpc-status"], "5");
    assert_eq!(answer.to_bytes(), "raw");
}

/// A stream that the app breaks off has an end that callers know: it may be tried again.
#[tokio::test]
async fn an_answer_that_breaks_ends_with_a_status() {
    let drain = Drain::new();
    let (listener, port) = listen().await;
    let (first, app) = (b"\0\0\0\0\0", Drain::new());
    let serving = async move {
        let mut connection = h2::server::handshake(listener.accept().await.unwrap().0).await.unwrap();
        let (_, mut respond) = connection.accept().await.unwrap().unwrap();
        let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
        stream.send_data(Bytes::from_static(first), false).unwrap();
        connection.accept().await;
    };
    app.spawn_until_stopped(serving);
    let channel = connect(options(port, Protocol::Grpc), &drain).unwrap();
    let request = Request::post("/any.Service/Method").body(Body::empty()).unwrap();
    let mut body = channel.grpc().forward(request).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), first.as_slice());
    app.stop();
    let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
    let status = foundation_grpc::of_headers(&trailers).unwrap();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().starts_with("error reading from server: "), "{status}");
    assert!(body.frame().await.is_none());
}
