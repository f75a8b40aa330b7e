//! An app that speaks HTTP.
mod bindings;
mod events;
mod invoke;
mod jobs;
mod questions;

pub use invoke::AGENT;

use crate::connection::{Broken, Dialer, http1, http2};
use crate::turn::{MOST_CONNECTIONS, Turn, Turns};
use crate::{
    AppOptions, BindingAnswer, BindingEvent, BulkEvent, Channel, Error, EventStatus, GrpcConnection, Health, JobEvent,
    Protocol, Subscription, TopicEvent,
};
use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use foundation_drain::Drain;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;
use std::sync::Arc;

/// An app behind HTTP/1.1 or HTTP/2.
pub(crate) struct HttpApp {
    caller: Arc<Caller>,
    health: Health,
    grpc: GrpcConnection,
}

/// What it takes to send a request to the app.
struct Caller {
    options: Arc<AppOptions>,
    host: HeaderValue,
    token: Option<HeaderValue>,
    turns: Turns,
    connections: Connections,
}

enum Connections {
    Http1(http1::Pool),
    Http2(http2::Pool),
}

impl HttpApp {
    pub(crate) fn new(options: AppOptions, drain: &Drain) -> Result<Self, Error> {
        let options = Arc::new(options);
        let dialer = Dialer::new(Arc::clone(&options))?;
        let grpc = GrpcConnection::new(dialer.clone(), drain);
        let health = Health::new(options.health.clone());
        Ok(Self { caller: Arc::new(Caller::new(options, dialer, drain)), health, grpc })
    }
}

impl Caller {
    fn new(options: Arc<AppOptions>, dialer: Dialer, drain: &Drain) -> Self {
        let value = |text: &str| HeaderValue::try_from(text).ok();
        let (connections, most) = if options.protocol == Protocol::H2c {
            (Connections::Http2(http2::Pool::new(dialer, drain.clone())), options.max_concurrency)
        } else {
            let most = if options.max_concurrency == 0 { MOST_CONNECTIONS } else { options.max_concurrency };
            (Connections::Http1(http1::Pool::new(dialer, drain.clone())), most.min(MOST_CONNECTIONS))
        };
        Self {
            host: value(&options.authority()).unwrap_or_else(|| HeaderValue::from_static("")),
            token: options.token.as_deref().and_then(value),
            turns: Turns::new(most),
            connections,
            options,
        }
    }

    /// Sends a request whose URI is a path, when its turn comes.
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Broken> {
        let turn = self.turns.take().await;
        self.send_at_once(request, turn).await
    }

    async fn send_at_once(&self, mut request: Request<Body>, turn: Turn) -> Result<Response<Body>, Broken> {
        match &self.connections {
            Connections::Http1(pool) => {
                request.headers_mut().insert(http::header::HOST, self.host.clone());
                pool.send(request, turn).await
            }
            Connections::Http2(pool) => {
                *request.uri_mut() = self.absolute(request.uri());
                pool.send(request, turn).await
            }
        }
    }

    /// The same path at the app's address.
    fn absolute(&self, uri: &Uri) -> Uri {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = self.host.to_str().unwrap_or_default();
        Uri::builder().scheme("http").authority(authority).path_and_query(path).build().unwrap_or_default()
    }

    /// The whole body of an answer.
    async fn read(&self, body: Body) -> Result<Bytes, Error> {
        let limited = Limited::new(body, self.options.max_body_size.max(1 << 20));
        let read = limited.collect().await;
        read.map(|body| body.to_bytes())
            .map_err(|error| Error::Malformed(format!("cannot read the app's answer: {error}")))
    }
}

#[async_trait]
impl Channel for HttpApp {
    fn protocol(&self) -> Protocol {
        self.caller.options.protocol
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
        self.health.check()?;
        self.caller.subscriptions().await
    }

    async fn wants_binding(&self, _: &str, route: &str) -> Result<bool, Error> {
        self.health.check()?;
        self.caller.wants_binding(route).await
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
        self.health.check()?;
        self.caller.config().await
    }

    fn grpc(&self) -> &GrpcConnection {
        &self.grpc
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
