//! The connections to one address.
use crate::connection::Connection;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Open connections to one address, as many as the calls need.
#[derive(Debug)]
pub struct Connections<E> {
    open: Mutex<Vec<Connection>>,
    /// Held while connecting, so that many waiting calls make one connection.
    connecting: tokio::sync::Mutex<()>,
    /// How many attempts have failed, and how the last of them did.
    failed: Mutex<(u64, Option<E>)>,
}

impl<E> Default for Connections<E> {
    fn default() -> Self {
        Self { open: Mutex::default(), connecting: tokio::sync::Mutex::default(), failed: Mutex::new((0, None)) }
    }
}

impl<E: Clone> Connections<E> {
    /// A connection that can take a call now; `connect` makes another when all are full.
    ///
    /// # Errors
    /// What `connect` says, of this call or of one that this call has waited for: many calls to somebody who does not answer shall not
    /// wait for each other.
    pub async fn get<F>(&self, connect: impl FnOnce() -> F) -> Result<Connection, E>
    where
        F: Future<Output = Result<Connection, E>>,
    {
        if let Some(connection) = self.ready().await {
            return Ok(connection);
        }
        let failures = lock(&self.failed).0;
        let _connecting = self.connecting.lock().await;
        if let Some(connection) = self.ready().await {
            return Ok(connection);
        }
        if let (count, Some(error)) = &*lock(&self.failed)
            && *count > failures
        {
            return Err(error.clone());
        }
        // Boxed: a handshake is rare and its future large, calls on open connections are neither.
        let connection = Box::pin(connect()).await.inspect_err(|error| self.note(error))?;
        lock(&self.open).push(connection.clone());
        Ok(connection)
    }

    fn note(&self, error: &E) {
        let mut failed = lock(&self.failed);
        *failed = (failed.0 + 1, Some(error.clone()));
    }

    /// One with room. Those found closed are dropped.
    async fn ready(&self) -> Option<Connection> {
        loop {
            let candidate = lock(&self.open).iter().find(|one| one.has_room()).cloned()?;
            if let Ok(connection) = candidate.ready().await {
                return Some(connection);
            }
            self.drop_closed();
        }
    }

    fn drop_closed(&self) {
        let mut cx = Context::from_waker(Waker::noop());
        lock(&self.open).retain_mut(|one| !matches!(one.requests.poll_ready(&mut cx), Poll::Ready(Err(_))));
    }
}

/// A poisoned lock holds what it held: no code panics while it has one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
