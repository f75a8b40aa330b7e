//! The seam: everything that blocks ask of an app.
use crate::over_grpc::GrpcApp;
use crate::over_http::HttpApp;
use crate::{
    AppOptions, BindingAnswer, BindingEvent, BulkEvent, Error, EventStatus, GrpcConnection, Health, JobEvent, Protocol,
    Subscription, TopicEvent,
};
use async_trait::async_trait;
use axum::body::Body;
use foundation_drain::Drain;
use http::{Request, Response};
use std::sync::Arc;

/// The app of this sidecar.
#[async_trait]
pub trait Channel: Send + Sync {
    /// The protocol that the app speaks.
    fn protocol(&self) -> Protocol;

    /// Calls a method of the app: the path and query of the URI are the app's (escaped as a URI is), the verb is kept.
    /// Headers are those of the caller; what must not travel is left out here. [`crate::CallContext`] in the request's
    /// extensions says what HTTP cannot.
    ///
    /// A gRPC app gets `OnInvoke`; its status is an HTTP status in the answer, and as it came in
    /// [`crate::AppStatus`] of the answer's extensions. Redirects are handed back.
    ///
    /// # Errors
    /// When the app was not reached, or broke off before it answered; never for what the app answers.
    async fn invoke(&self, request: Request<Body>) -> Result<Response<Body>, Error>;

    /// Delivers one event (protocols.md 7.3).
    ///
    /// # Errors
    /// The app was not reached or answered with an error after which the event is to be delivered again;
    /// [`Error::code`] is its status.
    async fn event(&self, event: &TopicEvent) -> Result<EventStatus, Error>;

    /// Delivers several events; the answer has one status for each entry, in their order (protocols.md 7.4).
    ///
    /// # Errors
    /// As for a single event; then all entries are to be delivered again.
    async fn bulk_event(&self, event: &BulkEvent) -> Result<Vec<EventStatus>, Error>;

    /// The topics that the app asks for. An app that knows nothing of subscriptions, or fails to say, has none.
    ///
    /// # Errors
    /// The app was not reached ([`Error::is_temporary`]), or what it said cannot be read.
    async fn subscriptions(&self) -> Result<Vec<Subscription>, Error>;

    /// Whether the app wants the events of an input binding; `route` is the path that they would have at an HTTP app.
    ///
    /// # Errors
    /// The app was not reached, or a gRPC app answered with an error.
    async fn wants_binding(&self, name: &str, route: &str) -> Result<bool, Error>;

    /// Delivers an event of an input binding.
    ///
    /// # Errors
    /// The app was not reached or answered with an error; [`Error::code`] is its status.
    async fn binding_event(&self, event: &BindingEvent) -> Result<BindingAnswer, Error>;

    /// Tells the app that a job is due. A job that the app does not know is [`EventStatus::Drop`] (protocols.md 3.6).
    ///
    /// # Errors
    /// The app was not reached or answered with an error; [`Error::code`] is its status.
    async fn job(&self, job: &JobEvent) -> Result<EventStatus, Error>;

    /// What the app says of its actors, as it says it; none when it says nothing. gRPC apps register on a stream instead.
    ///
    /// # Errors
    /// The app was not reached, or what it said is not JSON.
    async fn config(&self) -> Result<Option<serde_json::Value>, Error>;

    /// Raw gRPC connections to the app, for calls that are passed on unread.
    fn grpc(&self) -> &GrpcConnection;

    /// Whether the app is healthy; always so without health checks.
    fn health(&self) -> &Health;

    /// Starts the health checks that the options ask for, at most once. They end with the drain.
    fn start_health_checks(&self, drain: &Drain);
}

/// A channel to the app. Connections and their tasks end when the drain stops.
///
/// # Errors
/// [`Error::Tls`] when the app shall be called with TLS and its host is no name that TLS knows.
pub fn connect(options: AppOptions, drain: &Drain) -> Result<Arc<dyn Channel>, Error> {
    if options.protocol.is_grpc() {
        return Ok(Arc::new(GrpcApp::new(options, drain)?));
    }
    Ok(Arc::new(HttpApp::new(options, drain)?))
}
