//! HTTP/2 connections to other sidecars, several to one address when many calls run at once.
use crate::Error;
use crate::target::Target;
use foundation_drain::Drain;
use foundation_http2::{Connection, Connections, Keepalive, Settings};
use foundation_identity::{Expected, Identity};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// As between Dapr's sidecars (surface.md 2.1), which end a connection with more than a ping in eight seconds.
const KEEPALIVE: Keepalive = Keepalive { idle: Duration::from_secs(10), patience: Duration::from_secs(5) };
const SETTINGS: Settings = Settings {
    peer: "another sidecar",
    largest_frame: 64 << 10,
    largest_headers: 1 << 20,
    deadline: CONNECT_DEADLINE,
    keepalive: Some(KEEPALIVE),
};

/// Connections by address. How a dial failed is told as a text.
type OfTarget = HashMap<String, Arc<Connections<String>>>;

/// All open connections by app and address: with an identity a connection is good for the app that proved to be there alone.
#[derive(Debug)]
pub(crate) struct Pool {
    slots: Mutex<HashMap<Target, OfTarget>>,
    /// Of this sidecar; without one connections are in the open.
    identity: Option<Identity>,
    drain: Drain,
}

impl Pool {
    pub(crate) fn new(identity: Option<Identity>, drain: Drain) -> Self {
        Self { slots: Mutex::default(), identity, drain }
    }

    /// A connection that can take a call now.
    pub(crate) async fn open(&self, address: &str, target: &Target) -> Result<Connection, Error> {
        self.slot(address, target).get(|| self.connect(address, target)).await.map_err(Error::Connect)
    }

    /// Forgets the connections to an app at an address; calls that run on them go on.
    pub(crate) fn destroy(&self, address: &str, target: &Target) {
        let mut slots = lock(&self.slots);
        let Some(of_target) = slots.get_mut(target) else { return };
        of_target.remove(address);
        if of_target.is_empty() {
            slots.remove(target);
        }
    }

    /// Whether connections are secured.
    pub(crate) fn is_secure(&self) -> bool {
        self.identity.is_some()
    }

    fn slot(&self, address: &str, target: &Target) -> Arc<Connections<String>> {
        let mut slots = lock(&self.slots);
        // Nearly every call finds its slot, and then copies no names.
        if let Some(slot) = slots.get(target).and_then(|of_target| of_target.get(address)) {
            return Arc::clone(slot);
        }
        Arc::clone(slots.entry(target.clone()).or_default().entry(address.to_owned()).or_default())
    }

    async fn connect(&self, address: &str, target: &Target) -> Result<Connection, String> {
        let failed = |why: String| format!("transport: Error while dialing: dial tcp {address}: {why}");
        let connecting = timeout(CONNECT_DEADLINE, TcpStream::connect(address)).await;
        let stream =
            connecting.map_err(|_| failed("timeout".to_owned()))?.map_err(|error| failed(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        let Some(identity) = &self.identity else {
            return self
                .begin(stream)
                .await
                .map_err(|error| format!("transport: {error}; check that both sidecars have mTLS on, or neither"));
        };
        let expected = Expected::App { namespace: target.namespace.clone(), app_id: target.app_id.clone() };
        let secured = identity.connect(stream, expected).await;
        let secured = secured.map_err(|error| format!("transport: authentication handshake failed: {error}"))?;
        self.begin(secured).await.map_err(|error| format!("transport: {error}"))
    }

    /// Speaks HTTP/2 from now on.
    async fn begin(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Connection, h2::Error> {
        Connection::begin(stream, &SETTINGS, &self.drain).await
    }
}

/// A poisoned lock holds what it held: no code panics while it has one.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
