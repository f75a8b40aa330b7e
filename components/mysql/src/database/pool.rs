//! How connections are made, and looked at before they are used again.
use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts};
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// A connection that was used not longer ago than this still works, or its server just went away.
const FRESH: Duration = Duration::from_millis(500);

/// Makes connections.
pub(crate) struct Connector {
    pub(super) options: Opts,
    pub(super) limits: Limits,
    /// How long connecting may take.
    pub(super) timeout: Duration,
}

/// How long connections are used. Zero is no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) idle: Duration,
    pub(crate) age: Duration,
}

impl Limits {
    fn refuse(self, metrics: &Metrics) -> bool {
        let over = |limit: Duration, time: Duration| !limit.is_zero() && time > limit;
        over(self.idle, metrics.last_used()) || over(self.age, metrics.age())
    }
}

impl Manager for Connector {
    type Type = Conn;
    type Error = Error;

    async fn create(&self) -> Result<Conn, Error> {
        let connected = timeout(self.timeout, Conn::new(self.options.clone())).await;
        connected.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }

    async fn recycle(&self, connection: &mut Conn, metrics: &Metrics) -> RecycleResult<Error> {
        if self.limits.refuse(metrics) || connection.is_disconnected() {
            return Err(RecycleError::message("it is too old"));
        }
        if metrics.last_used() > FRESH {
            connection.ping().await?;
        }
        Ok(())
    }
}
