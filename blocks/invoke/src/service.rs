//! Calls of apps: the own one directly, others through their sidecars, and endpoints that are no apps.
use crate::app::deliver;
use crate::error::Error;
use crate::external::{External, HttpEndpoint};
use crate::path::normalise;
use bytes::Bytes;
use component_api::middleware::Pipeline;
use foundation_app::Channel;
use foundation_peer::{Answer, Head, Payload, Peers, Target};
use http::HeaderMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// `DaprBuiltInServiceRetries`: tries after the first one, and the pause before each (protocols.md 6.2).
const RETRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Service invocation.
pub struct Service {
    peers: Arc<Peers>,
    app: Option<Arc<dyn Channel>>,
    external: External,
    max_message_size: usize,
}

impl Service {
    /// `app` is none for a sidecar without an app; `max_message_size` is the limit of one gRPC message in bytes.
    pub fn new(peers: Arc<Peers>, app: Option<Arc<dyn Channel>>, max_message_size: usize) -> Self {
        Self { peers, app, external: External::new(BTreeMap::new(), Pipeline::default()), max_message_size }
    }

    /// The same with HTTPEndpoint resources, by name; requests to them and to URLs pass `pipeline`.
    #[must_use]
    pub fn with_endpoints(self, endpoints: BTreeMap<String, HttpEndpoint>, pipeline: Pipeline) -> Self {
        Self { external: External::new(endpoints, pipeline), ..self }
    }

    /// Calls what `target` names: an app (`id` or `id.namespace`), an HTTPEndpoint, or a URL.
    ///
    /// # Errors
    /// [`Error`]; whatever the app answers is none.
    pub async fn invoke(&self, target: &str, mut head: Head, payload: Payload) -> Result<Answer, Error> {
        head.method = normalise(&head.method)?;
        if let Some(endpoint) = self.external.find(target) {
            return self.external.call(endpoint, head, payload).await;
        }
        let target = self.target(target)?;
        if self.peers.is_own(&target) {
            let app = self.app.as_deref().ok_or(Error::NoApp)?;
            return deliver(app, head, payload.into_body()).await;
        }
        match payload {
            Payload::Whole(bytes) => self.call_patiently(&target, &head, bytes).await,
            stream => Ok(self.peers.call(&target, &head, stream, &HeaderMap::new()).await?),
        }
    }

    /// Tries again while the sidecar of the app cannot be reached.
    async fn call_patiently(&self, target: &Target, head: &Head, bytes: Bytes) -> Result<Answer, Error> {
        let mut tries = 0;
        loop {
            let called = self.peers.call(target, head, Payload::Whole(bytes.clone()), &HeaderMap::new()).await;
            match called {
                Err(source) if source.is_stale() && tries == RETRIES => {
                    return Err(Error::TriedEnough { app_id: target.app_id.clone(), tries, source });
                }
                Err(error) if error.is_stale() => tokio::time::sleep(PAUSE).await,
                other => return Ok(other?),
            }
            tries += 1;
        }
    }

    fn target(&self, target: &str) -> Result<Target, Error> {
        Ok(Target::parse(target, &self.peers.own().namespace)?)
    }

    /// Whether a target is the own app.
    pub(crate) fn is_own(&self, target: &str) -> Result<bool, Error> {
        Ok(self.peers.is_own(&self.target(target)?))
    }

    pub(crate) fn peers(&self) -> &Peers {
        &self.peers
    }

    pub(crate) fn app(&self) -> Option<&dyn Channel> {
        self.app.as_deref()
    }

    pub(crate) fn max_message_size(&self) -> usize {
        self.max_message_size
    }
}
