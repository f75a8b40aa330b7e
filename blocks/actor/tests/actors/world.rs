//! A sidecar's actors with an app over HTTP, in this process.
use crate::placement::Placement;
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use block_actor::{Options, Service, endpoints, internal_routes};
use bytes::Bytes;
use component_api::{Error, Instance, Live, Properties, Result, naming, state};
use component_in_memory::InMemoryStore;
use foundation_app::{AppOptions, Channel, connect};
use foundation_drain::Drain;
use foundation_peer::{Own, Peers};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tower::ServiceExt;

pub(crate) const APP: &str = "app";

/// An app that hosts actors.
#[derive(Clone)]
pub(crate) struct App {
    pub log: Arc<Mutex<Vec<Seen>>>,
    seen: watch::Sender<usize>,
    /// Lets calls of `wait` end, one for each.
    pub go_on: Arc<Notify>,
}

/// A request that the app has got.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub line: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl App {
    fn new() -> Self {
        Self { log: Arc::default(), seen: watch::Sender::new(0), go_on: Arc::default() }
    }

    /// Waits until the app has seen so many requests whose line fits.
    pub(crate) async fn until(&self, fits: &str, count: usize) {
        self.seen.subscribe().wait_for(|_| self.count(fits) >= count).await.unwrap();
    }

    pub(crate) fn count(&self, fits: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|seen| seen.line.starts_with(fits)).count()
    }

    pub(crate) fn last(&self) -> Seen {
        self.log.lock().unwrap().last().unwrap().clone()
    }
}

async fn answer(State(app): State<App>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let line = format!("{} {}", head.method, head.uri);
    app.log.lock().unwrap().push(Seen { line, headers: head.headers, body: body.clone() });
    app.seen.send_modify(|count| *count += 1);
    match head.uri.path().rsplit('/').next().unwrap_or_default() {
        "fail" => (StatusCode::INTERNAL_SERVER_ERROR, "no").into_response(),
        "missing" => StatusCode::NOT_FOUND.into_response(),
        "wrong" => ([("X-DaprErrorResponseHeader", "true"), ("x-own", "1")], "sorry").into_response(),
        "endless" => Body::from_stream(futures_util::stream::pending::<Result<Bytes>>()).into_response(),
        "wait" => {
            app.go_on.notified().await;
            body.into_response()
        }
        _ => ([("x-own", "1"), ("content-type", "text/x")], body).into_response(),
    }
}

/// Nobody is found by name.
struct Nobody;

#[async_trait]
impl naming::Resolver for Nobody {
    async fn register(&self, _: naming::Registration) -> Result<()> {
        Ok(())
    }

    async fn resolve(&self, _: &naming::Target) -> Result<Vec<String>> {
        Err(Error::other("nobody is here"))
    }
}

/// A sidecar.
pub(crate) struct Sidecar {
    pub service: Arc<Service>,
    pub router: Router,
    pub app: App,
    pub channel: Arc<dyn Channel>,
    pub stores: Live<dyn state::Store>,
    /// Ends the tasks of the sidecar with it.
    pub(crate) drain: Drain,
}

pub(crate) fn store() -> Arc<dyn state::Store> {
    Arc::new(InMemoryStore::new())
}

pub(crate) fn add_store(stores: &Live<dyn state::Store>, component: Arc<dyn state::Store>) {
    let properties = Properties::from_iter([("ActorStateStore", "true")]);
    let [name, kind, version] = ["store", "state.test", "v1"].map(str::to_owned);
    stores.insert(Instance { name, kind, version, properties, component });
}

impl Sidecar {
    /// With the types of this configuration; none is an app that has not said anything yet.
    pub(crate) async fn start(placement: Option<&Placement>, configuration: Option<Value>) -> Self {
        Self::with(placement, configuration, Options { allows_ttl: true, ..Options::default() }).await
    }

    pub(crate) async fn with(placement: Option<&Placement>, configuration: Option<Value>, options: Options) -> Self {
        let (drain, app) = (Drain::new(), App::new());
        let port = serve(Router::new().fallback(answer).with_state(app.clone()), &drain).await;
        let channel = connect(AppOptions { port, ..AppOptions::default() }, &drain).unwrap();
        let internal = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = Own {
            app_id: APP.to_owned(),
            namespace: "default".to_owned(),
            address: "127.0.0.1".to_owned(),
            host_name: String::new(),
            internal_port: internal.local_addr().unwrap().port(),
        };
        let peers = Arc::new(Peers::new(Arc::new(Nobody), own, 1 << 20, &drain));
        let stores = Live::default();
        add_store(&stores, store());
        let service = placement.map(|placement| vec![placement.address.clone()]);
        let service = service.map(|addresses| {
            Arc::new(foundation_peer::ControlService { addresses, identity: None }) as Arc<dyn block_actor::Replicas>
        });
        let options = Options { placement: service, dissemination_timeout: Duration::from_secs(30), ..options };
        let service = Arc::new(Service::new(options, &peers, stores.clone(), &drain));
        listen(internal, internal_routes(Arc::clone(&service), 1 << 20), &drain);
        let router = endpoints(Arc::clone(&service)).into_router(|_| true);
        service.start().await;
        if let Some(configuration) = configuration {
            service.host(Some(&channel), Some(configuration)).unwrap();
        }
        Self { service, router, app, channel, stores, drain }
    }

    /// Sends a request and gives status, headers and body of its answer.
    pub(crate) async fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> (u16, HeaderMap, String) {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(format!("/v1.0/actors/{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Sends a request whose answer is known.
    pub(crate) async fn check(&self, line: &str, body: &str, (status, expected): (u16, &str)) {
        let (got, _, answer) = self.send(line, &[], body).await;
        assert_eq!((got, answer.as_str()), (status, expected), "{line} {body}");
    }
}

/// A sidecar that hosts `t` with these settings, in step with a placement service.
pub(crate) async fn in_step(settings: Value) -> (Placement, Sidecar) {
    let placement = Placement::start(0).await;
    let sidecar = Sidecar::start(Some(&placement), hosting("t", settings)).await;
    placement.round(1).await;
    (placement, sidecar)
}

/// One type with common settings.
pub(crate) fn hosting(actor_type: &str, settings: Value) -> Option<Value> {
    let mut document = json!({"entities": [actor_type]});
    document.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    Some(document)
}

pub(crate) fn fault(code: &str, message: &str) -> String {
    json!({"errorCode": code, "message": message}).to_string()
}

async fn serve(router: Router, drain: &Drain) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    listen(listener, router, drain);
    port
}

fn listen(listener: TcpListener, router: Router, drain: &Drain) {
    drain.spawn_until_stopped(async move {
        axum::serve(listener, router).await.ok();
    });
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.drain.stop();
    }
}
