//! An app with actors that do nothing but take their time.
use crate::checks::Checks;
use crate::network::Node;
use crate::random::Random;
use crate::sidecar::Surroundings;
use async_trait::async_trait;
use axum::body::Body;
use foundation_app::{
    BindingAnswer, BindingEvent, BulkEvent, Channel, Error, EventStatus, GrpcConnection, Health, JobEvent, Protocol,
    Subscription, TopicEvent,
};
use foundation_drain::Drain;
use http::{Method, Request, Response};
use tokio_util::sync::CancellationToken;

/// An app.
pub(crate) struct App {
    number: usize,
    checks: Checks,
    random: Random,
    process: Option<CancellationToken>,
}

impl App {
    pub(crate) fn new(number: usize, around: &Surroundings) -> Self {
        let process = around.network.process(Node::Sidecar(number));
        Self { number, checks: around.checks.clone(), random: around.random.clone(), process }
    }

    /// A call mostly takes a moment, now and then longer than a change of hosts waits for it.
    async fn work(&self) {
        let slow = self.random.one_in(30);
        let time = if slow { self.random.millis(500, 6_000) } else { self.random.millis(0, 60) };
        tokio::time::sleep(time).await;
    }

    /// An app that hangs is left to itself after a while.
    async fn let_go(&self) {
        let time = if self.random.one_in(60) { self.random.millis(1_000, 9_000) } else { self.random.millis(0, 20) };
        tokio::time::sleep(time).await;
    }
}

#[async_trait]
impl Channel for App {
    fn protocol(&self) -> Protocol {
        Protocol::Http
    }

    async fn invoke(&self, request: Request<Body>) -> Result<Response<Body>, Error> {
        let path = request.uri().path().to_owned();
        let mut parts = path.trim_start_matches("/actors/").splitn(3, '/');
        let actor = format!("{}/{}", parts.next().unwrap(), parts.next().unwrap());
        if request.method() == Method::DELETE {
            self.let_go().await;
        } else {
            let running = self.checks.begin(self.number, self.process.clone(), actor);
            self.work().await;
            running.complete();
        }
        Ok(Response::new(Body::empty()))
    }

    async fn event(&self, _: &TopicEvent) -> Result<EventStatus, Error> {
        unreachable!()
    }

    async fn bulk_event(&self, _: &BulkEvent) -> Result<Vec<EventStatus>, Error> {
        unreachable!()
    }

    async fn subscriptions(&self) -> Result<Vec<Subscription>, Error> {
        unreachable!()
    }

    async fn wants_binding(&self, _: &str, _: &str) -> Result<bool, Error> {
        unreachable!()
    }

    async fn binding_event(&self, _: &BindingEvent) -> Result<BindingAnswer, Error> {
        unreachable!()
    }

    async fn job(&self, _: &JobEvent) -> Result<EventStatus, Error> {
        unreachable!()
    }

    async fn config(&self) -> Result<Option<serde_json::Value>, Error> {
        unreachable!()
    }

    fn grpc(&self) -> &GrpcConnection {
        unreachable!()
    }

    fn health(&self) -> &Health {
        unreachable!()
    }

    fn start_health_checks(&self, _: &Drain) {}
}
