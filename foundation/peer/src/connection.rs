//! HTTP/2 connections to other sidecars, several to one address when many calls run at once.
use crate::Error;
use crate::target::Target;
use bytes::Bytes;
use foundation_cork::corked;
use foundation_drain::Drain;
use foundation_identity::{Expected, Identity};
use h2::client::{Builder, SendRequest};
use socket2::{SockRef, TcpKeepalive};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Calls at once after which another connection is opened, as servers often allow no more.
const STREAMS: usize = 100;
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// As gRPC's keepalive between Dapr's sidecars (surface.md 2.1).
const IDLE: Duration = Duration::from_secs(10);
const PROBE: Duration = Duration::from_secs(5);
const VANISHED: Duration = Duration::from_secs(20);
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
const LARGEST_FRAME: u32 = 64 << 10;
const LARGEST_HEADERS: u32 = 1 << 20;

/// All open connections by app and address: with an identity a connection is good for the app that proved to be there alone.
#[derive(Debug)]
pub(crate) struct Pool {
    slots: Mutex<HashMap<Target, HashMap<String, Arc<Slot>>>>,
    /// Of this sidecar; without one connections are in the open.
    identity: Option<Identity>,
    drain: Drain,
}

/// The connections to one app at one address.
#[derive(Debug, Default)]
struct Slot {
    open: Mutex<Vec<Connection>>,
    /// Held while connecting, so that many waiting calls make one connection.
    connecting: tokio::sync::Mutex<()>,
}

/// A connection, shared by the calls on it. Its handle is as good as a count of them.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) requests: SendRequest<Bytes>,
    pub(crate) running: Arc<()>,
}

impl Connection {
    fn has_room(&self) -> bool {
        Arc::strong_count(&self.running) <= STREAMS
    }

    async fn ready(self) -> Result<Self, h2::Error> {
        let requests = self.requests.ready().await?;
        Ok(Self { requests, running: self.running })
    }
}

impl Pool {
    pub(crate) fn new(identity: Option<Identity>, drain: Drain) -> Self {
        Self { slots: Mutex::default(), identity, drain }
    }

    /// A connection that can take a call now.
    pub(crate) async fn open(&self, address: &str, target: &Target) -> Result<Connection, Error> {
        let slot = self.slot(address, target);
        if let Some(connection) = slot.ready().await {
            return Ok(connection);
        }
        let _connecting = slot.connecting.lock().await;
        if let Some(connection) = slot.ready().await {
            return Ok(connection);
        }
        // Boxed: a handshake is rare and its future large, calls on open connections are neither.
        let connection = Box::pin(self.connect(address, target)).await?;
        lock(&slot.open).push(connection.clone());
        connection.ready().await.map_err(Error::from)
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

    fn slot(&self, address: &str, target: &Target) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        // Nearly every call finds its slot, and then copies no names.
        if let Some(slot) = slots.get(target).and_then(|of_target| of_target.get(address)) {
            return Arc::clone(slot);
        }
        Arc::clone(slots.entry(target.clone()).or_default().entry(address.to_owned()).or_default())
    }

    async fn connect(&self, address: &str, target: &Target) -> Result<Connection, Error> {
        let failed = |why: String| Error::Connect(format!("transport: Error while dialing: dial tcp {address}: {why}"));
        let connecting = timeout(CONNECT_DEADLINE, TcpStream::connect(address)).await;
        let stream =
            connecting.map_err(|_| failed("timeout".to_owned()))?.map_err(|error| failed(error.to_string()))?;
        tune(&stream).map_err(|error| failed(error.to_string()))?;
        let Some(identity) = &self.identity else { return self.begin(stream).await };
        let expected = Expected::App { namespace: target.namespace.clone(), app_id: target.app_id.clone() };
        let secured = identity.connect(stream, expected).await;
        let secured =
            secured.map_err(|error| Error::Connect(format!("transport: authentication handshake failed: {error}")))?;
        self.begin(secured).await
    }

    /// Speaks HTTP/2 from now on.
    async fn begin(&self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Connection, Error> {
        let (stream, cork) = corked(stream);
        let handshake = builder().handshake(stream).await;
        let (connection, mut driver) = handshake.map_err(|error| Error::Connect(format!("transport: {error}")))?;
        self.drain.spawn_until_stopped(async move {
            if let Err(error) = poll_fn(|cx| cork.turn(cx, Pin::new(&mut driver))).await {
                tracing::debug!(target: "dapr.runtime.direct_messaging", "connection to another sidecar ended: {error}");
            }
        });
        Ok(Connection { requests: connection, running: Arc::default() })
    }
}

impl Slot {
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
        let waker = std::task::Waker::noop();
        let mut cx = std::task::Context::from_waker(waker);
        lock(&self.open).retain_mut(|one| !matches!(one.requests.poll_ready(&mut cx), std::task::Poll::Ready(Err(_))));
    }
}

/// Small messages go out at once, and a peer that vanished is noticed.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(IDLE).with_interval(PROBE))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(VANISHED))?;
    Ok(())
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(LARGEST_FRAME)
        .max_header_list_size(LARGEST_HEADERS)
        .max_send_buffer_size(LARGEST_FRAME as usize * 4);
    builder
}

/// A poisoned lock holds what it held: no code panics while it has one.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
