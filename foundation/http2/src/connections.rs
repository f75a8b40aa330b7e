//! The connections to one address.
use crate::connection::Connection;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Open connections to one address, as many as the calls need.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<Vec<Connection>>,
    /// Held while connecting, so that many waiting calls make one connection.
    connecting: tokio::sync::Mutex<()>,
}

impl Connections {
    /// A connection that can take a call now; `connect` makes another when all are full.
    ///
    /// # Errors
    /// What `connect` says.
    pub async fn get<F, E>(&self, connect: impl FnOnce() -> F) -> Result<Connection, E>
    where
        F: Future<Output = Result<Connection, E>>,
    {
        if let Some(connection) = self.ready().await {
            return Ok(connection);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(connection) = self.ready().await {
            return Ok(connection);
        }
        // Boxed: a handshake is rare and its future large, calls on open connections are neither.
        let connection = Box::pin(connect()).await?;
        self.lock().push(connection.clone());
        Ok(connection)
    }

    /// One with room. Those found closed are dropped.
    async fn ready(&self) -> Option<Connection> {
        loop {
            let candidate = self.lock().iter().find(|one| one.has_room()).cloned()?;
            if let Ok(connection) = candidate.ready().await {
                return Some(connection);
            }
            self.drop_closed();
        }
    }

    fn drop_closed(&self) {
        let mut cx = Context::from_waker(Waker::noop());
        self.lock().retain_mut(|one| !matches!(one.requests.poll_ready(&mut cx), Poll::Ready(Err(_))));
    }

    /// A poisoned lock holds what it held: no code panics while it has one.
    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
