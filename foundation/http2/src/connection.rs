//! One connection.
use crate::keepalive::{Attentive, Keepalive, Watch};
use bytes::Bytes;
use foundation_cork::{Corked, corked};
use foundation_drain::Drain;
use h2::client::{Builder, SendRequest};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Calls at once after which another connection is opened; many servers allow no more.
const MOST_CALLS: usize = 100;
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// What a connection is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whom it is to, for the log.
    pub peer: &'static str,
    /// Bytes of all headers of an answer.
    pub largest_headers: u32,
    /// Bytes of one frame that the peer may send.
    pub largest_frame: u32,
    /// For the peer to say how many calls it allows.
    pub deadline: Duration,
    /// None is a peer that may be silent for as long as it likes.
    pub keepalive: Option<Keepalive>,
}

/// A connection, shared by the calls on it. Its handle is as good as a count of them.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) requests: SendRequest<Bytes>,
    pub(crate) calls: Arc<()>,
}

impl Connection {
    /// Speaks HTTP/2 on a stream until the drain stops, and waits for the peer's settings: a call that is sent before them might
    /// have to wait behind others.
    ///
    /// # Errors
    /// A peer that speaks no HTTP/2, ends the connection, or says nothing within the deadline.
    pub async fn begin<S>(stream: S, settings: &Settings, drain: &Drain) -> Result<Self, h2::Error>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (stream, cork) = corked(stream);
        let (stream, heard) = Attentive::new(stream);
        let (requests, mut driver) = builder(settings).handshake::<Attentive<Corked<S>>, Bytes>(stream).await?;
        let mut watch =
            settings.keepalive.and_then(|keepalive| Some(Watch::new(keepalive, heard, driver.ping_pong()?)));
        let (sender, settled) = oneshot::channel();
        let (peer, mut sender) = (settings.peer, Some(sender));
        drain.spawn_until_stopped(poll_fn(move |cx| {
            let ended = cork.turn(cx, Pin::new(&mut driver));
            watch.iter_mut().for_each(|watch| watch.look(cx));
            if let Some(sender) = sender.take_if(|_| ended.is_ready() || driver.max_concurrent_send_streams() > 0) {
                sender.send(if let Poll::Ready(Err(error)) = &ended { Err(copy(error)) } else { Ok(()) }).ok();
            }
            ended.map(|result| {
                if let Err(error) = result {
                    tracing::debug!(target: "dapr.runtime.http2", "connection to {peer} ended: {error}");
                }
            })
        }));
        match timeout(settings.deadline, settled).await {
            Ok(Ok(result)) => result?,
            Ok(Err(_)) | Err(_) => return Err(h2::Reason::SETTINGS_TIMEOUT.into()),
        }
        Ok(Self { requests, calls: Arc::default() })
    }

    /// Whether another call fits on it.
    pub(crate) fn has_room(&self) -> bool {
        Arc::strong_count(&self.calls) <= self.requests.current_max_send_streams().clamp(1, MOST_CALLS)
    }

    /// The connection once it can take a call; an error when it has ended.
    pub(crate) async fn ready(self) -> Result<Self, h2::Error> {
        let requests = self.requests.ready().await?;
        Ok(Self { requests, calls: self.calls })
    }
}

/// What of an error is told twice.
fn copy(error: &h2::Error) -> h2::Error {
    error.reason().unwrap_or(h2::Reason::PROTOCOL_ERROR).into()
}

fn builder(settings: &Settings) -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(0)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(settings.largest_frame)
        .max_header_list_size(settings.largest_headers)
        .max_send_buffer_size(settings.largest_frame as usize * 4);
    builder
}
