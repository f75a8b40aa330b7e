//! The block over some stores, its answers, and what they should be.
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use block_state::{Service, endpoints};
use bytes::Bytes;
use component_api::state::{DeleteRequest, Features, GetRequest, Item, SetRequest, Store};
use component_api::{Error, Instance, Kind, Live, Properties, Result};
use component_in_memory::InMemoryStore;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Limited};
use prost_types::Any;
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;
use tonic::Status;
use tower::ServiceExt;

/// Largest body that the router takes, as the sidecar limits it.
pub(crate) const LIMIT: usize = 4096;

pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    router: Router,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) bytes: Bytes,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

impl World {
    /// With one in-memory store.
    pub(crate) fn new() -> Self {
        Self::with(vec![("store", "", Arc::new(InMemoryStore::new()))])
    }

    /// With stores: name, key prefix, component.
    pub(crate) fn with(stores: Vec<(&str, &str, Arc<dyn Store>)>) -> Self {
        let live = Live::default();
        for (name, prefix, component) in stores {
            let properties = Some(("keyPrefix", prefix)).filter(|(_, prefix)| !prefix.is_empty());
            live.insert(instance(name, Properties::from_iter(properties), component));
        }
        Self::of(Service::new("app", "ns", live))
    }

    /// With a service that was put together elsewhere.
    pub(crate) fn of(service: Service) -> Self {
        let service = Arc::new(service);
        let router = endpoints(Arc::clone(&service)).into_router(|_| true);
        Self { service, router }
    }

    pub(crate) async fn http(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        self.http_with(method, path, &[], body).await
    }

    pub(crate) async fn http_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(Body::new(Limited::new(body.into(), LIMIT))).unwrap();
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: head.status.as_u16(), headers: head.headers, bytes, text }
    }
}

/// A store with its metadata.
pub(crate) fn instance(name: &str, properties: Properties, component: Arc<dyn Store>) -> Instance<dyn Store> {
    let (kind, version) = ("state.test".to_owned(), "v1".to_owned());
    Instance { name: name.to_owned(), kind, version, properties, component }
}

/// Compares status and JSON body; no body is `null`.
pub(crate) async fn check(request: impl Future<Output = Answer>, (status, body): (u16, Value)) {
    let answer = request.await;
    let got = if answer.text.is_empty() { Value::Null } else { serde_json::from_str(&answer.text).unwrap() };
    assert_eq!((answer.status, got), (status, body));
    if !answer.text.is_empty() {
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

/// The details of a status by type, and the reason of its ErrorInfo.
pub(crate) fn details(status: &Status) -> Vec<Any> {
    let whole: wire::google::rpc::Status = prost::Message::decode(status.details()).unwrap();
    whole.details
}

pub(crate) fn reason(status: &Status) -> String {
    let details = details(status);
    let info = details.iter().find(|detail| detail.type_url.ends_with("ErrorInfo"));
    let info: wire::google::rpc::ErrorInfo = prost::Message::decode(info.unwrap().value.as_slice()).unwrap();
    assert_eq!(info.domain, "dapr.io");
    info.reason
}

/// A store that can do nothing more than it must, and refuses everything.
pub(crate) struct Failing(pub(crate) Kind);

impl Failing {
    fn error(&self) -> Error {
        Error::new(self.0, "disk on fire")
    }
}

#[async_trait]
impl Store for Failing {
    fn features(&self) -> Features {
        Features { transaction_limit: Some(1), transactional: self.0 == Kind::Other, ..Features::default() }
    }

    async fn get(&self, _: GetRequest) -> Result<Option<Item>> {
        Err(self.error())
    }

    async fn set(&self, _: SetRequest) -> Result<()> {
        Err(self.error())
    }

    async fn delete(&self, _: DeleteRequest) -> Result<()> {
        Err(self.error())
    }
}
