//! A sidecar's publishing and subscriptions with an app behind it.
use crate::brokers::{Eager, Picky};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use block_pubsub::{Options, Service, Subscriber, endpoints, subscribe_topic_events};
use component_api::pubsub::Broker;
use component_api::{Instance, Live};
use component_in_memory::InMemoryBroker;
use foundation_app::{AppOptions, Protocol, connect};
use foundation_drain::Drain;
use foundation_resiliency::{Policies, Resiliency};
use foundation_telemetry::Metrics;
use futures_util::StreamExt;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tower::ServiceExt;
use wire::runtime::v1::app_callback_server::{AppCallback, AppCallbackServer};
use wire::runtime::v1::subscribe_topic_events_request_alpha1::SubscribeTopicEventsRequestType as Asked;
use wire::runtime::v1::subscribe_topic_events_response_alpha1::SubscribeTopicEventsResponseType as Told;
use wire::runtime::v1::topic_event_response::TopicEventResponseStatus;
use wire::runtime::v1::*;

pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    pub(crate) subscriber: Arc<Subscriber>,
    pub(crate) brokers: Live<dyn Broker>,
    pub(crate) app: App,
}

/// The app: what it got, and what it answers.
#[derive(Clone)]
struct Behaviour {
    subscriptions: Value,
    got: mpsc::UnboundedSender<Got>,
    answers: Arc<Mutex<BTreeMap<String, (u16, String)>>>,
    held: Arc<Mutex<BTreeMap<String, oneshot::Receiver<()>>>>,
}

pub(crate) struct App {
    behaviour: Behaviour,
    got: mpsc::UnboundedReceiver<Got>,
}

#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl App {
    fn new(subscriptions: Value) -> Self {
        let (sender, got) = mpsc::unbounded_channel();
        let behaviour = Behaviour { subscriptions, got: sender, answers: Arc::default(), held: Arc::default() };
        Self { behaviour, got }
    }

    pub(crate) async fn next(&mut self) -> Got {
        timeout(Duration::from_secs(30), self.got.recv()).await.unwrap().unwrap()
    }

    pub(crate) fn is_quiet(&mut self) -> bool {
        self.got.try_recv().is_err()
    }

    /// `<STATUS> for all` answers a bulk with this status for each entry.
    pub(crate) fn answer(&self, path: &str, status: u16, body: &str) {
        self.behaviour.answers.lock().unwrap().insert(path.to_owned(), (status, body.to_owned()));
    }

    /// The next call of a path is answered when the returned end says so.
    pub(crate) fn hold(&self, path: &str) -> oneshot::Sender<()> {
        let (sender, receiver) = oneshot::channel();
        self.behaviour.held.lock().unwrap().insert(path.to_owned(), receiver);
        sender
    }
}

async fn answer(State(app): State<Behaviour>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    if path == "/dapr/subscribe" {
        return app.subscriptions.to_string().into_response();
    }
    let bytes = body.collect().await.unwrap().to_bytes();
    let json: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    app.got.send(Got { path: path.clone(), headers: head.headers, json: json.clone() }).unwrap();
    let held = app.held.lock().unwrap().remove(&path);
    if let Some(held) = held {
        held.await.unwrap();
    }
    let (status, body) = app.answers.lock().unwrap().get(&path).cloned().unwrap_or((200, String::new()));
    let body = match body.strip_suffix(" for all") {
        Some(status) => statuses(&json, status),
        None => body,
    };
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

fn statuses(bulk: &Value, status: &str) -> String {
    let entries = bulk["entries"].as_array().cloned().unwrap_or_default();
    let statuses: Vec<_> = entries.iter().map(|entry| json!({"entryId": entry["entryId"], "status": status})).collect();
    json!({"statuses": statuses}).to_string()
}

/// Subscriptions as the app answers them: topics with their routes.
pub(crate) fn subscriptions(all: &[(&str, Value)]) -> Value {
    let patient = all.iter().map(|(topic, rest)| ("patient", topic, rest));
    let both = all.iter().map(|(topic, rest)| ("pubsub", topic, rest)).chain(patient);
    both.map(|(pubsub, topic, rest)| {
        let mut one = rest.clone();
        (one["pubsubname"], one["topic"]) = (pubsub.into(), (*topic).into());
        one
    })
    .collect()
}

pub(crate) fn route(path: &str) -> Value {
    json!({"route": path})
}

/// Deliveries of `patient` are tried three times.
fn three_tries() -> Resiliency {
    let resource = json!({
        "metadata": {"name": "tries"},
        "spec": {
            "policies": {"retries": {"three": {"policy": "constant", "duration": "1ms", "maxRetries": 2}}},
            "targets": {"components": {"patient": {"inbound": {"retry": "three"}}}},
        },
    });
    let resource = serde_json::from_value(resource).unwrap();
    Resiliency::new(Policies::load([&resource], &Metrics::disabled()))
}

pub(crate) fn instance(name: &str, component: Arc<dyn Broker>, properties: &[(&str, &str)]) -> Instance<dyn Broker> {
    let properties = properties.iter().copied().collect();
    Instance { name: name.to_owned(), kind: "pubsub.test".to_owned(), version: "v1".to_owned(), properties, component }
}

impl World {
    /// With an HTTP app that asks for these subscriptions.
    pub(crate) async fn with(subscriptions: Value) -> Self {
        let app = App::new(subscriptions);
        let router = Router::new().fallback(answer).with_state(app.behaviour.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Drain::new().spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self::behind(port, Protocol::Http, app).await
    }

    async fn behind(port: u16, protocol: Protocol, app: App) -> Self {
        let drain = Drain::new();
        let brokers = Live::default();
        let guarded: &[(&str, &str)] = &[("protectedTopics", "secret")];
        for (name, properties) in [("pubsub", &[] as &[(&str, &str)]), ("patient", &[]), ("guarded", guarded)] {
            brokers.insert(instance(name, Arc::new(InMemoryBroker::new()), properties));
        }
        brokers.insert(instance("picky", Arc::new(Picky), &[]));
        brokers.insert(instance("eager", Arc::new(Eager::default()), &[]));
        let service = Service::new("golden", "space", brokers.clone()).with_resiliency(three_tries());
        let service = Arc::new(service);
        let options = AppOptions { app_id: "golden".to_owned(), port, protocol, ..AppOptions::default() };
        let channel = connect(options, &drain).unwrap();
        let subscriber = Subscriber::new(Arc::clone(&service), Some(channel), Options::default(), &drain);
        subscriber.start().await;
        Self { service, subscriber, brokers, app }
    }

    pub(crate) fn replace_broker(&self, name: &str, properties: &[(&str, &str)]) {
        self.brokers.insert(instance(name, Arc::new(InMemoryBroker::new()), properties));
    }

    /// Publishes JSON to `<pubsub>/<topic>`.
    pub(crate) async fn publish(&self, path: &str, json: &str) -> StatusCode {
        let request = Request::post(format!("/v1.0/publish/{path}")).header("content-type", "application/json");
        self.send(request.body(json.to_owned().into()).unwrap()).await.0
    }

    pub(crate) async fn call(&self, path: &str, body: &str) -> (StatusCode, Value) {
        self.send(Request::put(path).body(body.to_owned().into()).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let router = endpoints(Arc::clone(&self.service)).into_router(|_| true);
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }
}

/// What a streaming app says and hears.
pub(crate) struct Talk {
    pub(crate) say: Option<mpsc::UnboundedSender<Result<SubscribeTopicEventsRequestAlpha1, tonic::Status>>>,
    heard: block_pubsub::Events,
}

impl Talk {
    pub(crate) fn with(subscriber: &Arc<Subscriber>) -> Self {
        let (say, said) = mpsc::unbounded_channel();
        let said = futures_util::stream::unfold(said, |mut said| async { Some((said.recv().await?, said)) });
        let heard = subscribe_topic_events(subscriber, said.boxed()).into_inner();
        Self { say: Some(say), heard }
    }

    pub(crate) fn ask(&self, pubsub: &str, topic: &str) {
        let initial = SubscribeTopicEventsRequestInitialAlpha1 {
            pubsub_name: pubsub.to_owned(),
            topic: topic.to_owned(),
            dead_letter_topic: Some("dead".to_owned()),
            ..SubscribeTopicEventsRequestInitialAlpha1::default()
        };
        self.send(Asked::InitialRequest(initial));
    }

    pub(crate) fn process(&self, id: &str, status: TopicEventResponseStatus) {
        let status = Some(TopicEventResponse { status: status.into() });
        self.send(Asked::EventProcessed(SubscribeTopicEventsRequestProcessedAlpha1 { id: id.to_owned(), status }));
    }

    fn send(&self, asked: Asked) {
        let request = SubscribeTopicEventsRequestAlpha1 { subscribe_topic_events_request_type: Some(asked) };
        self.say.as_ref().unwrap().send(Ok(request)).unwrap();
    }

    /// None for the answer to the first request.
    pub(crate) async fn hear(&mut self) -> Result<Option<TopicEventRequest>, tonic::Status> {
        let heard = timeout(Duration::from_secs(30), self.heard.next()).await.unwrap().unwrap()?;
        match heard.subscribe_topic_events_response_type.unwrap() {
            Told::InitialResponse(_) => Ok(None),
            Told::EventMessage(event) => Ok(Some(event)),
        }
    }
}

/// Tells what it got, and drops what comes on the topic `drop`.
struct GrpcApp(mpsc::UnboundedSender<TopicEventRequest>);

#[async_trait]
impl AppCallback for GrpcApp {
    async fn on_invoke(
        &self,
        _: tonic::Request<wire::common::v1::InvokeRequest>,
    ) -> Result<tonic::Response<wire::common::v1::InvokeResponse>, tonic::Status> {
        Err(tonic::Status::unimplemented(""))
    }

    async fn list_topic_subscriptions(
        &self,
        _: tonic::Request<()>,
    ) -> Result<tonic::Response<ListTopicSubscriptionsResponse>, tonic::Status> {
        let one = |topic: &str, dead_letter_topic: &str, path: &str| TopicSubscription {
            pubsub_name: "pubsub".to_owned(),
            topic: topic.to_owned(),
            dead_letter_topic: dead_letter_topic.to_owned(),
            routes: (!path.is_empty()).then(|| TopicRoutes { default: path.to_owned(), ..TopicRoutes::default() }),
            ..TopicSubscription::default()
        };
        let subscriptions = vec![one("orders", "", ""), one("drop", "dead", ""), one("dead", "", "/dead")];
        Ok(tonic::Response::new(ListTopicSubscriptionsResponse { subscriptions }))
    }

    async fn on_topic_event(
        &self,
        request: tonic::Request<TopicEventRequest>,
    ) -> Result<tonic::Response<TopicEventResponse>, tonic::Status> {
        let event = request.into_inner();
        let drop = event.topic == "drop";
        self.0.send(event).unwrap();
        let status = if drop { TopicEventResponseStatus::Drop } else { TopicEventResponseStatus::Success };
        Ok(tonic::Response::new(TopicEventResponse { status: status.into() }))
    }

    async fn list_input_bindings(
        &self,
        _: tonic::Request<()>,
    ) -> Result<tonic::Response<ListInputBindingsResponse>, tonic::Status> {
        Err(tonic::Status::unimplemented(""))
    }

    async fn on_bulk_topic_event(
        &self,
        _: tonic::Request<TopicEventBulkRequest>,
    ) -> Result<tonic::Response<TopicEventBulkResponse>, tonic::Status> {
        Err(tonic::Status::unimplemented(""))
    }

    async fn on_job_event(
        &self,
        _: tonic::Request<JobEventRequest>,
    ) -> Result<tonic::Response<JobEventResponse>, tonic::Status> {
        Err(tonic::Status::unimplemented(""))
    }

    async fn on_binding_event(
        &self,
        _: tonic::Request<BindingEventRequest>,
    ) -> Result<tonic::Response<BindingEventResponse>, tonic::Status> {
        Err(tonic::Status::unimplemented(""))
    }
}

/// With a gRPC app.
pub(crate) async fn grpc() -> (mpsc::UnboundedReceiver<TopicEventRequest>, World) {
    let (sender, got) = mpsc::unbounded_channel();
    let routes = tonic::service::Routes::new(AppCallbackServer::new(GrpcApp(sender))).into_axum_router();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    Drain::new().spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (got, World::behind(port, Protocol::Grpc, App::new(Value::Null)).await)
}
