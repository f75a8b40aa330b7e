//! An app that speaks gRPC.
mod bindings;
mod connection;
mod envelopes;
mod events;
mod invoke;
mod jobs;
mod questions;

pub use connection::GrpcConnection;
pub use envelopes::topic_event as topic_event_request;

use crate::connection::Dialer;
use crate::turn::Turns;
use crate::{
    AppOptions, BindingAnswer, BindingEvent, BulkEvent, Channel, Error, EventStatus, Health, JobEvent, Protocol,
    Subscription, TopicEvent,
};
use async_trait::async_trait;
use axum::body::Body;
use foundation_drain::Drain;
use http::{Request, Response};
use serde_json::Value;
use std::sync::Arc;
use tonic::metadata::MetadataMap;
use wire::runtime::v1::app_callback_client::AppCallbackClient;

/// An app behind gRPC.
pub(crate) struct GrpcApp {
    caller: Arc<Caller>,
    health: Health,
}

/// What it takes to call the app.
struct Caller {
    protocol: Protocol,
    connection: GrpcConnection,
    turns: Turns,
    max_message_size: usize,
}

impl GrpcApp {
    pub(crate) fn new(options: AppOptions, drain: &Drain) -> Result<Self, Error> {
        let dialer = Dialer::new(Arc::new(options))?;
        let options = dialer.options();
        let health = Health::new(options.health.clone());
        let caller = Caller {
            protocol: options.protocol,
            turns: Turns::new(options.max_concurrency),
            max_message_size: options.max_body_size,
            connection: GrpcConnection::new(dialer, drain),
        };
        Ok(Self { caller: Arc::new(caller), health })
    }
}

impl Caller {
    fn callbacks(&self) -> AppCallbackClient<GrpcConnection> {
        let client = AppCallbackClient::with_origin(self.connection.clone(), self.connection.origin());
        client.max_decoding_message_size(self.max_message_size).max_encoding_message_size(self.max_message_size)
    }

    /// A request with metadata; the app's token is added where it is sent.
    fn request<T>(&self, message: T, metadata: http::HeaderMap) -> tonic::Request<T> {
        tonic::Request::from_parts(MetadataMap::from_headers(metadata), tonic::Extensions::default(), message)
    }
}

#[async_trait]
impl Channel for GrpcApp {
    fn protocol(&self) -> Protocol {
        self.caller.protocol
    }

    async fn invoke(&self, request: Request<Body>) -> Result<Response<Body>, Error> {
        self.health.check()?;
        self.caller.invoke(request).await
    }

    async fn event(&self, event: &TopicEvent) -> Result<EventStatus, Error> {
        self.health.check()?;
        self.caller.event(event).await
    }

    async fn bulk_event(&self, event: &BulkEvent) -> Result<Vec<EventStatus>, Error> {
        self.health.check()?;
        self.caller.bulk_event(event).await
    }

    async fn subscriptions(&self) -> Result<Vec<Subscription>, Error> {
        self.caller.subscriptions().await
    }

    async fn wants_binding(&self, name: &str, _: &str) -> Result<bool, Error> {
        self.health.check()?;
        self.caller.wants_binding(name).await
    }

    async fn binding_event(&self, event: &BindingEvent) -> Result<BindingAnswer, Error> {
        self.health.check()?;
        self.caller.binding_event(event).await
    }

    async fn job(&self, job: &JobEvent) -> Result<EventStatus, Error> {
        self.health.check()?;
        self.caller.job(job).await
    }

    async fn config(&self) -> Result<Option<Value>, Error> {
        Ok(None)
    }

    fn grpc(&self) -> &GrpcConnection {
        &self.caller.connection
    }

    fn health(&self) -> &Health {
        &self.health
    }

    fn start_health_checks(&self, drain: &Drain) {
        let caller = Arc::clone(&self.caller);
        self.health.start(drain, move || {
            let caller = Arc::clone(&caller);
            async move { caller.probe().await }
        });
    }
}
