//! The app as a subscriber: it is called for every item that changes (surface.md 1.3).
use crate::model::Update;
use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use component_api::configuration::{Items, Notify};
use foundation_app::Channel;
use foundation_endpoint::read_body;
use foundation_resiliency::{ComponentKind, Resiliency};
use http::header::CONTENT_TYPE;
use http::{Request, Uri};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const SCOPE: &str = "dapr.runtime.http";
/// How long the app may take over one item.
const PATIENCE: Duration = Duration::from_secs(60);
/// What cannot stand in a path. A slash in a key is one of the path too, as in Dapr.
const NO_PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');

/// Calls the app.
pub(crate) struct AppNotifier {
    pub(crate) app: Arc<dyn Channel>,
    pub(crate) store: String,
    /// Id of the subscription.
    pub(crate) id: String,
    pub(crate) resiliency: Resiliency,
}

/// Why the app did not take an item.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failure(String);

impl foundation_resiliency::Failure for Failure {}

#[async_trait]
impl Notify for AppNotifier {
    /// Each item has a path of its own, and all of them come in the body.
    async fn changed(&self, items: Items) {
        let keys: Vec<_> = items.keys().cloned().collect();
        let body = serde_json::to_vec(&Update { id: self.id.clone(), items }).unwrap_or_default();
        let body = Bytes::from(body);
        for key in keys {
            let policy = self.resiliency.inbound(&self.store, ComponentKind::Configuration);
            if let Err(reason) = policy.run(|| self.call(&key, body.clone())).await {
                tracing::error!(target: SCOPE, "error sending configuration item to the app: {reason}");
            }
        }
    }
}

impl AppNotifier {
    async fn call(&self, key: &str, body: Bytes) -> Result<(), Failure> {
        let request = self.request(key, body).map_err(|error| Failure(error.to_string()))?;
        let answer = timeout(PATIENCE, self.app.invoke(request)).await;
        let answer = answer.map_err(|_| Failure("the app did not answer in time".to_owned()))?;
        let (head, body) = answer.map_err(|error| Failure(error.to_string()))?.into_parts();
        // Read to its end, the connection can be used again.
        timeout(PATIENCE, read_body(body)).await.ok();
        if head.status.is_success() {
            return Ok(());
        }
        let status = head.status.as_u16();
        Err(Failure(format!("error sending configuration item to application, status {status}")))
    }

    fn request(&self, key: &str, body: Bytes) -> Result<Request<Body>, http::Error> {
        let (store, key) = (utf8_percent_encode(&self.store, NO_PATH), utf8_percent_encode(key, NO_PATH));
        let uri = Uri::try_from(format!("/configuration/{store}/{key}"))?;
        Request::post(uri).header(CONTENT_TYPE, "application/json").body(Body::from(body))
    }
}
