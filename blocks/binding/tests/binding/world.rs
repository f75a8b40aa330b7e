//! A sidecar's bindings with an app behind it.
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::response::{IntoResponse, Response as HttpResponse};
use block_binding::{Options, Reader, SaveState, Service, endpoints};
use bytes::Bytes;
use component_api::binding::{Binding, Event, Handle, Request, Response};
use component_api::pubsub::Subscription;
use component_api::{Error, Instance, Live, Metadata, Result, Task};
use foundation_app::{AppOptions, Protocol, connect};
use foundation_drain::Drain;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;
use tower::ServiceExt;
use wire::common::v1::{InvokeRequest, InvokeResponse, StateItem};
use wire::runtime::v1::app_callback_server::{AppCallback, AppCallbackServer};
use wire::runtime::v1::*;

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.unwrap()
}

/// A binding that the test plays the outside of.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) is_input: bool,
    pub(crate) operations: Vec<&'static str>,
    handle: Mutex<Option<Arc<dyn Handle>>>,
    pub(crate) requests: Mutex<Vec<Request>>,
}

impl Fake {
    pub(crate) fn input() -> Arc<Self> {
        Arc::new(Self { is_input: true, ..Self::default() })
    }

    pub(crate) fn output() -> Arc<Self> {
        Arc::new(Self { operations: vec!["create", "get", "fail", "refuse"], ..Self::default() })
    }

    pub(crate) fn is_read(&self) -> bool {
        self.handle.lock().unwrap().is_some()
    }

    /// Plays an event; what the app answered, or why it did not.
    pub(crate) async fn event(&self, data: &str, metadata: &[(&str, &str)]) -> std::result::Result<String, String> {
        let handle = self.handle.lock().unwrap().clone().unwrap();
        let event = Event { data: Bytes::copy_from_slice(data.as_bytes()), metadata: pairs(metadata) };
        let answer = soon(handle.handle(event)).await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(answer.to_vec()).unwrap())
    }

    pub(crate) fn sent(&self) -> Vec<(String, String)> {
        let requests = self.requests.lock().unwrap();
        let text = |data: &Bytes| String::from_utf8(data.to_vec()).unwrap();
        requests.iter().map(|request| (request.operation.clone(), text(&request.data))).collect()
    }
}

#[async_trait]
impl Binding for Fake {
    fn is_input(&self) -> bool {
        self.is_input
    }

    fn operations(&self) -> Vec<String> {
        self.operations.iter().map(|operation| (*operation).to_owned()).collect()
    }

    async fn read(&self, handle: Arc<dyn Handle>) -> Result<Subscription> {
        *self.handle.lock().unwrap() = Some(handle);
        Ok(Subscription::new(Task::spawn(|stopping| async move { stopping.cancelled().await })))
    }

    async fn invoke(&self, request: Request) -> Result<Response> {
        self.requests.lock().unwrap().push(request.clone());
        let metadata = pairs(&[("statusCode", "7"), ("bad\nname", "x")]);
        match request.operation.as_str() {
            "create" => Ok(Response::default()),
            "get" => Ok(Response { data: Some(request.data), metadata, failure: None }),
            "fail" => Ok(Response { data: None, metadata, failure: Some(Error::other("no luck")) }),
            _ => Err(Error::other("refused")),
        }
    }
}

pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Metadata {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What the app got: path or name of the binding, headers or metadata, and the body.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// The app: what it got, and what it answers.
#[derive(Clone)]
pub(crate) struct App {
    got: mpsc::UnboundedSender<Got>,
    /// By path, or by name of the binding with a gRPC app.
    answers: Arc<Mutex<BTreeMap<String, (u16, String)>>>,
    held: Arc<Mutex<BTreeMap<String, oneshot::Receiver<()>>>>,
    pub(crate) wanted: Arc<Mutex<Vec<String>>>,
    pub(crate) grpc: Arc<Mutex<BindingEventResponse>>,
}

impl App {
    pub(crate) fn answer(&self, path: &str, status: u16, body: &str) {
        self.answers.lock().unwrap().insert(path.to_owned(), (status, body.to_owned()));
    }

    /// The next call of a path is answered when the returned end says so.
    pub(crate) fn hold(&self, path: &str) -> oneshot::Sender<()> {
        let (sender, receiver) = oneshot::channel();
        self.held.lock().unwrap().insert(path.to_owned(), receiver);
        sender
    }

    async fn take(&self, got: Got) -> (u16, String) {
        let held = self.held.lock().unwrap().remove(&got.path);
        let answer = self.answers.lock().unwrap().get(&got.path).cloned().unwrap_or((200, String::new()));
        self.got.send(got).unwrap();
        if let Some(held) = held {
            held.await.ok();
        }
        answer
    }
}

async fn answer(State(app): State<App>, request: HttpRequest) -> HttpResponse {
    let (head, body) = request.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let path = format!("{} {}", head.method, head.uri);
    let (status, text) = app.take(Got { path, headers: head.headers, body }).await;
    (StatusCode::from_u16(status).unwrap(), text).into_response()
}

#[tonic::async_trait]
impl AppCallback for App {
    async fn on_invoke(&self, _: tonic::Request<InvokeRequest>) -> Reply<InvokeResponse> {
        Err(Status::unimplemented("no"))
    }

    async fn list_topic_subscriptions(&self, _: tonic::Request<()>) -> Reply<ListTopicSubscriptionsResponse> {
        Err(Status::unimplemented("no"))
    }

    async fn on_topic_event(&self, _: tonic::Request<TopicEventRequest>) -> Reply<TopicEventResponse> {
        Err(Status::unimplemented("no"))
    }

    async fn list_input_bindings(&self, _: tonic::Request<()>) -> Reply<ListInputBindingsResponse> {
        let bindings = self.wanted.lock().unwrap().clone();
        Ok(tonic::Response::new(ListInputBindingsResponse { bindings }))
    }

    async fn on_binding_event(&self, request: tonic::Request<BindingEventRequest>) -> Reply<BindingEventResponse> {
        let (metadata, _, event) = request.into_parts();
        let mut headers = metadata.into_headers();
        for (name, value) in event.metadata {
            headers.insert(http::HeaderName::try_from(format!("event-{name}")).unwrap(), value.parse().unwrap());
        }
        let body = String::from_utf8(event.data.to_vec()).unwrap();
        let (status, text) = self.take(Got { path: event.name, headers, body }).await;
        if status != 200 {
            return Err(Status::aborted(text));
        }
        Ok(tonic::Response::new(self.grpc.lock().unwrap().clone()))
    }

    async fn on_bulk_topic_event(&self, _: tonic::Request<TopicEventBulkRequest>) -> Reply<TopicEventBulkResponse> {
        Err(Status::unimplemented("no"))
    }

    async fn on_job_event(&self, _: tonic::Request<JobEventRequest>) -> Reply<JobEventResponse> {
        Err(Status::unimplemented("no"))
    }
}

type Reply<T> = std::result::Result<tonic::Response<T>, Status>;

/// Keeps what was saved.
#[derive(Default)]
pub(crate) struct Saved(Mutex<Vec<(String, String)>>);

#[async_trait]
impl SaveState for Saved {
    async fn save(&self, store: String, states: Vec<StateItem>) -> std::result::Result<(), String> {
        let keys = states.into_iter().map(|state| (store.clone(), state.key));
        self.0.lock().unwrap().extend(keys);
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) live: Live<dyn Binding>,
    pub(crate) app: App,
    got: mpsc::UnboundedReceiver<Got>,
    saved: Arc<Saved>,
    router: Router,
    drain: Drain,
}

/// A component: name, metadata, binding.
pub(crate) type Component<'a> = (&'a str, &'a [(&'a str, &'a str)], Arc<Fake>);

pub(crate) fn instance((name, properties, component): &Component<'_>) -> Instance<dyn Binding> {
    Instance {
        name: (*name).to_owned(),
        kind: "bindings.test".to_owned(),
        version: "v1".to_owned(),
        properties: properties.iter().copied().collect(),
        component: Arc::clone(component) as _,
    }
}

impl World {
    pub(crate) async fn new(protocol: Protocol, components: &[Component<'_>]) -> Self {
        let live = Live::<dyn Binding>::default();
        for component in components {
            live.insert(instance(component));
        }
        let (sender, got) = mpsc::unbounded_channel();
        let (answers, held, wanted, grpc) = Default::default();
        let app = App { got: sender, answers, held, wanted, grpc };
        let drain = Drain::new();
        let port = serve(&app, protocol, &drain).await;
        let channel = connect(AppOptions { port, protocol, ..AppOptions::default() }, &drain).unwrap();
        let service = Arc::new(Service::new(live.clone()));
        let saved = Arc::new(Saved::default());
        let states = Arc::clone(&saved) as Arc<dyn SaveState>;
        let options = Options { patience: PATIENCE };
        let reader = Reader::new(Arc::clone(&service), Some(channel), states, options, &drain);
        let router = endpoints(Arc::clone(&service)).into_router(|_| true);
        Self { service, reader, live, app, got, saved, router, drain }
    }

    /// The next request at the app.
    pub(crate) async fn next(&mut self) -> Got {
        soon(self.got.recv()).await.unwrap()
    }

    pub(crate) fn is_quiet(&mut self) -> bool {
        self.got.try_recv().is_err()
    }

    /// Waits for all that was begun, and tells what was saved: store and key.
    pub(crate) async fn saved(&self) -> Vec<(String, String)> {
        self.reader.end().await;
        assert!(self.drain.close(PATIENCE).await);
        self.saved.0.lock().unwrap().clone()
    }

    /// Status, headers and JSON body (`null` for none) of a call over HTTP.
    pub(crate) async fn http(&self, path: &str, body: &str) -> (u16, HeaderMap, Value) {
        let request = http::Request::post(path).header("baggage", "a=1").body(Body::from(body.to_owned())).unwrap();
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let json = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        (head.status.as_u16(), head.headers, json)
    }
}

async fn serve(app: &App, protocol: Protocol, drain: &Drain) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    if protocol.is_grpc() {
        let server = tonic::transport::Server::builder().add_service(AppCallbackServer::new(app.clone()));
        let serve = server.serve_with_incoming(TcpListenerStream::new(listener));
        drain.spawn_until_stopped(async move { serve.await.unwrap() });
    } else {
        let router = Router::new().fallback(answer).with_state(app.clone());
        drain.spawn_until_stopped(async move { axum::serve(listener, router).await.unwrap() });
    }
    port
}
