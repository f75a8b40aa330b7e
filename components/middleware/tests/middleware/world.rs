//! A pipeline of one component, with an end that tells what arrived.
use component_api::middleware::{Body, Handler, Http, Pipeline, Request, Response};
use component_api::{Config, Instance, Live, Properties, Registry};
use http::{HeaderMap, Method, StatusCode, Uri};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

/// What arrived behind the middleware.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// A pipeline of one component.
pub(crate) struct World {
    pipeline: Pipeline,
    arrived: Mutex<Vec<Arrived>>,
    status: Mutex<StatusCode>,
}

/// A response, read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl World {
    /// A component that must be made without an error.
    pub(crate) async fn new(name: &str, metadata: &[(&str, &str)]) -> Self {
        Self::of(make(name, metadata).await.unwrap())
    }

    pub(crate) fn of(component: Arc<dyn Http>) -> Self {
        let live = Live::<dyn Http>::default();
        let (name, kind) = ("it".to_owned(), "middleware.http.it".to_owned());
        let handler = Handler { name: name.clone(), kind: kind.clone(), version: String::new() };
        let version = "v1".to_owned();
        live.insert(Instance { name, kind, version, properties: Properties::default(), component });
        Self { pipeline: Pipeline::new(vec![handler], live), arrived: Mutex::default(), status: Mutex::default() }
    }

    /// Sends a request; what comes through is answered with its body and status 200, or that of `answer`.
    pub(crate) async fn send(&self, request: Request) -> Answer {
        let response = self.pass(request).await;
        let (parts, body) = response.into_parts();
        Answer { status: parts.status, headers: parts.headers, body: text(body).await }
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send(http::Request::get(uri).body(Body::empty()).unwrap()).await
    }

    /// Sends a request and leaves the body of its response unread.
    pub(crate) async fn open(&self, uri: &str) -> Response {
        self.pass(http::Request::get(uri).body(Body::empty()).unwrap()).await
    }

    /// The status of answers from now on.
    pub(crate) fn answer(&self, status: StatusCode) {
        *self.status.lock().unwrap() = status;
    }

    /// The requests that came through so far.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    /// The last request that came through.
    pub(crate) fn last(&self) -> Arrived {
        self.arrived().pop().unwrap()
    }

    async fn pass(&self, request: Request) -> Response {
        self.pipeline.run(request, |request| self.arrive(request)).await.unwrap()
    }

    async fn arrive(&self, request: Request) -> Result<Response, Infallible> {
        let (parts, body) = request.into_parts();
        let body = text(body).await;
        let arrived = Arrived { method: parts.method, uri: parts.uri, headers: parts.headers, body: body.clone() };
        self.arrived.lock().unwrap().push(arrived);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = *self.status.lock().unwrap();
        Ok(response)
    }
}

/// Makes a component; the error is its text.
pub(crate) async fn make(name: &str, metadata: &[(&str, &str)]) -> Result<Arc<dyn Http>, String> {
    let mut registry = Registry::default();
    component_middleware::register(&mut registry);
    let factory = registry.middleware.find(&format!("http.{name}"), "v1").or_error(name, "v1");
    let config = Config {
        name: "it".to_owned(),
        app_id: "app".to_owned(),
        namespace: "default".to_owned(),
        version: "v1".to_owned(),
        properties: metadata.iter().copied().collect(),
    };
    factory.map_err(|error| error.to_string())?(config).await.map_err(|error| error.to_string())
}

/// The text of a component that cannot be made.
pub(crate) async fn refused(name: &str, metadata: &[(&str, &str)]) -> String {
    make(name, metadata).await.err().unwrap()
}

async fn text(body: Body) -> String {
    String::from_utf8(body.read(1 << 20).await.unwrap().to_vec()).unwrap()
}
