//! One connection for every role: made when it is first needed, and made anew after it broke.
mod error;
mod failure;
mod keys;
mod link;
mod replicas;
mod request;
mod server;

pub(crate) use error::translate;
pub(crate) use link::Link;
pub(crate) use request::Request;

use crate::metadata::{ConnectionMetadata, limited};
use component_api::{OnDemand, Result};
use failure::Failure;
use redis::{FromRedisValue, RedisError, Value};
use replicas::Replicas;
use server::Server;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How long connecting may take when nothing is said.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an operation may take when nothing is said.
const READ_TIMEOUT: Duration = Duration::from_secs(3);

/// A server and the connection to it that all operations share.
#[derive(Debug)]
pub(crate) struct Connections {
    server: Arc<Server>,
    link: OnDemand<Link, RedisError>,
    read_timeout: Duration,
    retries: Retries,
    replicas: Replicas,
    is_cluster: bool,
}

/// How an operation is tried again on a new connection.
#[derive(Clone, Copy, Debug)]
struct Retries {
    count: u32,
    first_pause: Duration,
    longest_pause: Duration,
}

impl Connections {
    /// Prepares connections; nothing is connected yet.
    ///
    /// # Errors
    /// A certificate or key that cannot be read.
    pub(crate) fn new(metadata: &ConnectionMetadata) -> Result<Self> {
        let dial_timeout = limited(metadata.dial_timeout, DIAL_TIMEOUT);
        let retries = Retries {
            count: u32::try_from(metadata.redis_max_retries).unwrap_or_default(),
            first_pause: metadata.redis_min_retry_interval.0,
            longest_pause: metadata.redis_max_retry_interval.0,
        };
        Ok(Self {
            server: Arc::new(Server::new(metadata, dial_timeout)?),
            link: OnDemand::default(),
            read_timeout: limited(metadata.read_timeout, READ_TIMEOUT),
            retries,
            replicas: Replicas::default(),
            is_cluster: metadata.is_cluster(),
        })
    }

    /// Does a request, again on a new connection if the connection breaks.
    pub(crate) async fn run<'a, T: FromRedisValue>(&self, request: impl Into<Request<'a>>) -> Result<T> {
        self.insist(&request.into(), |failure| failure.is_worth_a_retry()).await
    }

    /// Does a request that must not be done twice: it is tried again only if the server has surely not done it.
    pub(crate) async fn run_once<'a, T: FromRedisValue>(&self, request: impl Into<Request<'a>>) -> Result<T> {
        self.insist(&request.into(), |failure| failure.is_worth_a_retry() && !failure.may_be_done).await
    }

    async fn insist<T: FromRedisValue>(&self, request: &Request<'_>, again: fn(&Failure) -> bool) -> Result<T> {
        let mut pause = self.retries.first_pause;
        for _ in 0..self.retries.count {
            match self.attempt(request).await {
                Err(failure) if again(&failure) => sleep(pause).await,
                result => return self.answer(result),
            }
            pause = (pause * 2).min(self.retries.longest_pause);
        }
        self.answer(self.attempt(request).await)
    }

    fn answer<T: FromRedisValue>(&self, result: std::result::Result<Value, Failure>) -> Result<T> {
        let value = result.map_err(|failure| self.translate(&failure.error))?;
        redis::from_redis_value(value).map_err(|error| self.translate(&error.into()))
    }

    async fn attempt(&self, request: &Request<'_>) -> std::result::Result<Value, Failure> {
        let (server, read_timeout) = (&self.server, self.read_timeout);
        let connect = || {
            let server = Arc::clone(server);
            async move { server.connect(read_timeout).await }
        };
        let (mut link, serial) = self.link.get(connect).await.map_err(Failure::before)?;
        let result = request.send(&mut link).await;
        if result.as_ref().is_err_and(error::ends_a_connection) {
            self.link.discard(serial);
            self.replicas.forget();
        }
        result.map_err(Failure::after)
    }

    /// A connection of its own for commands that wait on the server for up to that long.
    pub(crate) async fn waiting(&self, longest: Duration) -> Result<Link> {
        self.server.connect(self.read_timeout + longest).await.map_err(|error| self.translate(&error))
    }

    /// A connection for messages that the server sends by itself.
    pub(crate) async fn pubsub(&self) -> Result<redis::aio::PubSub> {
        self.server.pubsub().await.map_err(|error| self.translate(&error))
    }

    /// Whether the server is there and lets us in.
    pub(crate) async fn ping(&self) -> Result<()> {
        self.run::<Value>(&redis::cmd("PING")).await.map(drop)
    }

    /// An error of this server in the components' terms.
    pub(crate) fn translate(&self, error: &RedisError) -> component_api::Error {
        translate(&self.server.name, error)
    }

    /// Lets go of the connection; a later operation would make a new one.
    pub(crate) fn close(&self) {
        self.link.take();
    }
}
