//! The block with an app behind it, its answers, and what they should be.
use async_trait::async_trait;
use axum::Router;
use axum::extract::{Request, State};
use block_configuration::{Responses, Service, endpoints};
use component_api::configuration::{Item, Items, Notify, Store};
use component_api::pubsub::Subscription;
use component_api::{Error, Instance, Live, Metadata, Properties, Result};
use component_in_memory::InMemoryConfiguration;
use foundation_app::{AppOptions, Channel, connect};
use foundation_drain::Drain;
use futures_util::StreamExt;
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tower::ServiceExt;
use wire::runtime::v1::SubscribeConfigurationResponse;

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    pub(crate) store: Arc<InMemoryConfiguration>,
    calls: mpsc::UnboundedReceiver<Call>,
    router: Router,
}

/// Path and body of a call of the app.
type Call = (String, Value);

pub(crate) struct Answer {
    status: u16,
    pub(crate) json: Value,
}

impl World {
    /// With the stores `store` and `broken`, and an HTTP app.
    pub(crate) async fn new() -> Self {
        let (sender, calls) = mpsc::unbounded_channel();
        let app = Router::new().fallback(take).with_state(sender);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let drain = Drain::new();
        drain.spawn(async move { axum::serve(listener, app).await.unwrap() });
        let options = AppOptions { port, ..AppOptions::default() };
        Self::with(true, Some(connect(options, &drain).unwrap()), calls)
    }

    fn with(stores: bool, app: Option<Arc<dyn Channel>>, calls: mpsc::UnboundedReceiver<Call>) -> Self {
        let (live, store) = (Live::default(), Arc::new(InMemoryConfiguration::new(Items::new())));
        if stores {
            live.insert(instance("store", Arc::clone(&store) as _));
            live.insert(instance("broken", Arc::new(Broken)));
        }
        let service = Arc::new(Service::new(live, app));
        let router = endpoints(Arc::clone(&service)).into_router(|_| true);
        Self { service, store, calls, router }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path.replace(' ', "%20")).body(axum::body::Body::empty()).unwrap();
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status.as_u16(), json: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    /// The next call of the app.
    pub(crate) async fn called(&mut self) -> Call {
        timeout(PATIENCE, self.calls.recv()).await.unwrap().unwrap()
    }
}

/// Without an app, and perhaps without stores.
pub(crate) fn without_app(stores: bool) -> World {
    World::with(stores, None, mpsc::unbounded_channel().1)
}

fn instance(name: &str, component: Arc<dyn Store>) -> Instance<dyn Store> {
    let (kind, version) = ("configuration.test".to_owned(), "v1".to_owned());
    Instance { name: name.to_owned(), kind, version, properties: Properties::default(), component }
}

async fn take(State(calls): State<mpsc::UnboundedSender<Call>>, request: Request) -> StatusCode {
    assert_eq!(request.method(), "POST");
    assert_eq!(request.headers()["content-type"], "application/json");
    let path = request.uri().path().to_owned();
    let bytes = request.into_body().collect().await.unwrap().to_bytes();
    let refused = path.ends_with("refused");
    calls.send((path, serde_json::from_slice(&bytes).unwrap())).unwrap();
    if refused { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
}

pub(crate) async fn check(request: impl Future<Output = Answer>, expected: (u16, Value)) {
    let answer = request.await;
    assert_eq!((answer.status, answer.json), expected);
}

pub(crate) fn fault(tag: &str, message: &str) -> Value {
    json!({"errorCode": tag, "message": message})
}

pub(crate) fn item(value: &str, version: &str) -> Item {
    Item { value: value.to_owned(), version: version.to_owned(), metadata: Metadata::new() }
}

pub(crate) async fn next(stream: &mut Responses) -> SubscribeConfigurationResponse {
    timeout(PATIENCE, stream.next()).await.unwrap().unwrap().unwrap()
}

/// The reason of the ErrorInfo in a status.
pub(crate) fn reason(status: &tonic::Status) -> String {
    let whole: wire::google::rpc::Status = prost::Message::decode(status.details()).unwrap();
    let info: wire::google::rpc::ErrorInfo = prost::Message::decode(whole.details[0].value.as_slice()).unwrap();
    info.reason
}

struct Broken;

#[async_trait]
impl Store for Broken {
    async fn get(&self, _: &[String], _: &Metadata) -> Result<Items> {
        Err(Error::other("disk on fire"))
    }

    async fn subscribe(&self, _: Vec<String>, _: Metadata, _: Arc<dyn Notify>) -> Result<Subscription> {
        Err(Error::other("disk on fire"))
    }
}
