//! One connection for every role: made when it is first needed, and made anew after it broke.
mod error;
mod link;
mod request;
mod server;

pub(crate) use error::translate;
pub(crate) use link::Link;
pub(crate) use request::Request;

use crate::metadata::{ConnectionMetadata, limited};
use component_api::Result;
use futures_util::future::{BoxFuture, FutureExt, Shared};
use redis::{FromRedisValue, RedisError, RedisResult, Value};
use server::Server;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::sleep;

/// How long connecting may take when nothing is said.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an operation may take when nothing is said.
const READ_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection, or one that is being made; many operations wait for the same one.
type Connecting = Shared<BoxFuture<'static, RedisResult<Link>>>;

/// A server and the connection to it that all operations share.
#[derive(Debug)]
pub(crate) struct Connections {
    server: Arc<Server>,
    link: Mutex<Option<Connecting>>,
    read_timeout: Duration,
    retries: Retries,
    replicas: OnceCell<usize>,
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
            link: Mutex::default(),
            read_timeout: limited(metadata.read_timeout, READ_TIMEOUT),
            retries,
            replicas: OnceCell::new(),
        })
    }

    /// Does a request, again on a new connection if the connection breaks.
    pub(crate) async fn run<'a, T: FromRedisValue>(&self, request: impl Into<Request<'a>>) -> Result<T> {
        let request = request.into();
        let mut pause = self.retries.first_pause;
        for _ in 0..self.retries.count {
            match self.attempt(&request).await {
                Err(error) if error::is_worth_a_retry(&error) => sleep(pause).await,
                result => return self.answer(result),
            }
            pause = (pause * 2).min(self.retries.longest_pause);
        }
        self.answer(self.attempt(&request).await)
    }

    /// Does a request that must not be done twice.
    pub(crate) async fn run_once<'a, T: FromRedisValue>(&self, request: impl Into<Request<'a>>) -> Result<T> {
        self.answer(self.attempt(&request.into()).await)
    }

    fn answer<T: FromRedisValue>(&self, result: RedisResult<Value>) -> Result<T> {
        let read = result.and_then(|value| Ok(redis::from_redis_value(value)?));
        read.map_err(|error| self.translate(&error))
    }

    async fn attempt(&self, request: &Request<'_>) -> RedisResult<Value> {
        let mut link = self.link().await?;
        let result = request.send(&mut link).await;
        if result.as_ref().is_err_and(error::ends_a_connection) {
            self.forget();
        }
        result
    }

    /// The connection, or a new one. Whoever waits for it drives it on, so that none waits for one who sleeps.
    async fn link(&self) -> RedisResult<Link> {
        let connecting = {
            let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
            link.get_or_insert_with(|| self.connect().shared()).clone()
        };
        let connected = connecting.await;
        if connected.is_err() {
            self.forget();
        }
        connected
    }

    fn connect(&self) -> BoxFuture<'static, RedisResult<Link>> {
        let (server, read_timeout) = (Arc::clone(&self.server), self.read_timeout);
        Box::pin(async move { server.connect(read_timeout).await })
    }

    fn forget(&self) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A connection of its own for commands that wait on the server for up to that long.
    pub(crate) async fn waiting(&self, longest: Duration) -> Result<Link> {
        self.server.connect(self.read_timeout + longest).await.map_err(|error| self.translate(&error))
    }

    /// A connection for messages that the server sends by itself.
    pub(crate) async fn pubsub(&self) -> Result<redis::aio::PubSub> {
        self.server.pubsub().await.map_err(|error| self.translate(&error))
    }

    /// How many replicas the server had when it was first asked.
    pub(crate) async fn replicas(&self) -> Result<usize> {
        let ask = || async {
            let info: String = self.run(redis::cmd("INFO").arg("replication")).await?;
            let line = info.lines().find_map(|line| line.strip_prefix("connected_slaves:"));
            Ok(line.and_then(|count| count.trim().parse().ok()).unwrap_or_default())
        };
        self.replicas.get_or_try_init(ask).await.copied()
    }

    /// An error of this server in the components' terms.
    pub(crate) fn translate(&self, error: &RedisError) -> component_api::Error {
        translate(&self.server.name, error)
    }

    /// Lets go of the connection; a later operation would make a new one.
    pub(crate) fn close(&self) {
        self.forget();
    }
}
