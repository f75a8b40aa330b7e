//! Calls of apps: the own one directly, others through their sidecars, and endpoints that are no apps.
use crate::access::Access;
use crate::app::deliver;
use crate::attempt::{Failure, judge, last};
use crate::counted::Counted;
use crate::deadline::within;
use crate::error::Error;
use crate::external::{Endpoint, External, HttpEndpoint};
use crate::trace;
use crate::upgrade::{is_agreed, is_marked};
use component_api::middleware::Pipeline;
use foundation_app::Channel;
use foundation_drain::Drain;
use foundation_peer::method::normalise;
use foundation_peer::{Answer, Head, Payload, Peers, Target};
use foundation_resiliency::{BuiltIn, Policy, Resiliency};
use foundation_telemetry::{InvocationKind, Metrics};
use http::HeaderMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

/// Service invocation.
pub struct Service {
    peers: Arc<Peers>,
    app: Option<Arc<dyn Channel>>,
    external: External,
    resiliency: Resiliency,
    upgrades: Option<Drain>,
    access: Access,
    metrics: Metrics,
    max_message_size: usize,
}

/// Where a call goes.
enum Destination {
    OwnApp,
    OtherApp(Target),
    Url(Arc<Endpoint>),
    Endpoint(Arc<Endpoint>),
}

impl Service {
    /// `app` is none for a sidecar without an app; `max_message_size` is the limit of one gRPC message in bytes.
    pub fn new(peers: Arc<Peers>, app: Option<Arc<dyn Channel>>, max_message_size: usize) -> Self {
        let (external, resiliency, metrics) = (External::default(), Resiliency::default(), Metrics::disabled());
        let access = Access::new(None, false, metrics.clone());
        Self { peers, app, external, resiliency, upgrades: None, access, metrics, max_message_size }
    }

    /// The same with HTTPEndpoint resources, by name; requests to them and to URLs pass `pipeline`.
    #[must_use]
    pub fn with_endpoints(self, endpoints: BTreeMap<String, HttpEndpoint>, pipeline: Pipeline) -> Self {
        Self { external: External::new(endpoints, pipeline), ..self }
    }

    /// The same, with a word on which apps may call the own one.
    #[must_use]
    pub fn with_access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// The same, with policies for calls of apps and endpoints.
    #[must_use]
    pub fn with_resiliency(self, resiliency: Resiliency) -> Self {
        Self { resiliency, ..self }
    }

    /// The same, which passes WebSocket connections on; they last until the drain stops.
    #[must_use]
    pub fn with_upgrades(self, drain: &Drain) -> Self {
        Self { upgrades: Some(drain.clone()), ..self }
    }

    /// The same, which counts calls from and to other apps.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Calls what `target` names: an app (`id` or `id.namespace`), an HTTPEndpoint, or a URL. A body that can be sent
    /// only once is never sent again, whatever the policy.
    ///
    /// # Errors
    /// [`Error`]; whatever the app answers is none.
    pub async fn invoke(&self, target: &str, mut head: Head, mut payload: Payload) -> Result<Answer, Error> {
        head.method = normalise(&head.method)?;
        let destination = self.destination(target)?;
        let policy = self.policy(target, &destination, &head.method);
        let policy = if matches!(payload, Payload::Stream(_)) { policy.once() } else { policy };
        let (origin, upgrade) = (head.origin, is_marked(&head.headers));
        let mut start = Instant::now();
        let attempt = || {
            start = Instant::now();
            let head = if policy.retries() { head.clone() } else { std::mem::take(&mut head) };
            let called = self.call(&destination, head, payload.hand_out());
            async move {
                let answer = called.await?;
                if upgrade && is_agreed(&answer.outcome) { Ok(answer) } else { judge(origin, answer) }
            }
        };
        let answer = last(policy.run(attempt).await)??;
        if upgrade && is_agreed(&answer.outcome) {
            return Ok(answer);
        }
        Ok(Answer { body: within(&policy, start, answer.body), ..answer })
    }

    async fn call(&self, destination: &Destination, head: Head, payload: Payload) -> Result<Answer, Error> {
        match destination {
            Destination::OwnApp => {
                let app = self.app.as_deref().ok_or(Error::NoApp)?;
                deliver(app, head, payload.into_body()).await
            }
            Destination::OtherApp(target) => self.call_peer(target, &head, payload).await,
            Destination::Url(endpoint) | Destination::Endpoint(endpoint) => {
                self.call_external(endpoint, head, payload).await
            }
        }
    }

    async fn call_external(&self, endpoint: &Endpoint, head: Head, payload: Payload) -> Result<Answer, Error> {
        let counted = Counted::sent(&self.metrics, &endpoint.name, InvocationKind::Unary);
        let answer = self.external.call(endpoint, head, payload).await?;
        counted.answered(answer.outcome.number());
        Ok(answer)
    }

    /// Tries again while the sidecar of the app cannot be reached, unless the app has policies of its own.
    async fn call_peer(&self, target: &Target, head: &Head, mut payload: Payload) -> Result<Answer, Error> {
        let headers = trace::for_peer(&head.headers);
        if matches!(payload, Payload::Stream(_)) || self.resiliency.lists_app(&target.app_id) {
            return Ok(self.call_once(target, head, payload, &headers).await?);
        }
        let mut tries = 0;
        let attempt = || {
            tries += 1;
            let called = self.call_once(target, head, payload.hand_out(), &headers);
            async move { called.await.map_err(unreached) }
        };
        let called = last(self.resiliency.built_in(BuiltIn::ServiceRetries).run(attempt).await)?;
        called.map_err(|source| match source {
            source if source.is_stale() => {
                Error::TriedEnough { app_id: target.app_id.clone(), tries: tries - 1, source }
            }
            source => source.into(),
        })
    }

    async fn call_once(
        &self,
        target: &Target,
        head: &Head,
        payload: Payload,
        trace: &HeaderMap,
    ) -> Result<Answer, foundation_peer::Error> {
        let counted = Counted::sent(&self.metrics, &target.app_id, InvocationKind::Unary);
        let answer = self.peers.call(target, head, payload, trace).await?;
        counted.answered(answer.outcome.number());
        Ok(answer)
    }

    fn destination(&self, target: &str) -> Result<Destination, Error> {
        if let Some(endpoint) = self.external.of_url(target) {
            return Ok(Destination::Url(Arc::new(endpoint)));
        }
        if let Some(endpoint) = self.external.named(target) {
            return Ok(Destination::Endpoint(endpoint));
        }
        let target = self.target(target)?;
        Ok(if self.peers.is_own(&target) { Destination::OwnApp } else { Destination::OtherApp(target) })
    }

    /// Each method of an app has a circuit breaker of its own, and so has each endpoint.
    fn policy(&self, target: &str, destination: &Destination, method: &str) -> Policy {
        match destination {
            // As it is meant: cleaning the path of a request may have taken a slash.
            Destination::Url(endpoint) => {
                let base_url = &endpoint.base_url;
                self.resiliency.app(base_url, format_args!("{base_url}/{method}"))
            }
            Destination::Endpoint(endpoint) => {
                self.resiliency.app(target, format_args!("{target}:{}", endpoint.base_url))
            }
            _ => self.resiliency.app(target, format_args!("{target}:{method}")),
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

    /// Who owns WebSocket connections; none when they are not passed on.
    pub(crate) fn upgrades(&self) -> Option<&Drain> {
        self.upgrades.as_ref()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn resiliency(&self) -> &Resiliency {
        &self.resiliency
    }

    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    pub(crate) fn max_message_size(&self) -> usize {
        self.max_message_size
    }
}

/// Only what may be another sidecar by the next time is worth another try.
fn unreached(error: foundation_peer::Error) -> Failure<Answer, foundation_peer::Error> {
    Failure { is_permanent: !error.is_stale(), ..error.into() }
}
