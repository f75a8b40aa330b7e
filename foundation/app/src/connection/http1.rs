//! HTTP/1.1 connections: one call at a time each, the last used first.
use super::answer::answer;
use super::{Broken, Dialer};
use crate::turn::Turn;
use axum::body::Body;
use foundation_drain::Drain;
use http::{Method, Request, Response, Version};
use http_body::Body as _;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections kept without a call (surface.md 4.5: one host).
const MOST_IDLE: usize = 64;

/// The library takes no more than 100 by itself.
pub(super) const MOST_HEADERS: usize = 512;

type Idle = Arc<Mutex<Vec<SendRequest<Body>>>>;

/// The connections to one app.
#[derive(Debug)]
pub(crate) struct Pool {
    dialer: Dialer,
    idle: Idle,
    drain: Drain,
}

/// A connection in use. Dropping it closes the connection; [`Lease::give_back`] keeps it.
#[derive(Debug)]
pub(super) struct Lease {
    requests: SendRequest<Body>,
    idle: Idle,
    drain: Drain,
}

impl Lease {
    /// A connection that goes to the others of the pool.
    pub(super) fn new(requests: SendRequest<Body>, pool: &Pool) -> Self {
        Self { requests, idle: Arc::clone(&pool.idle), drain: pool.drain.clone() }
    }

    /// Keeps the connection for the next call.
    pub(super) fn give_back(self) {
        let Self { mut requests, idle, drain } = self;
        if requests.is_ready() {
            return keep(&idle, requests);
        }
        drain.spawn_until_stopped(async move {
            if requests.ready().await.is_ok() {
                keep(&idle, requests);
            }
        });
    }
}

fn keep(idle: &Idle, requests: SendRequest<Body>) {
    let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
    if idle.len() < MOST_IDLE {
        idle.push(requests);
    }
}

impl Pool {
    pub(crate) fn new(dialer: Dialer, drain: Drain) -> Self {
        Self { dialer, idle: Idle::default(), drain }
    }

    /// Sends a request whose URI is a path, with the `Host` header set. A kept connection that turns out to be closed is
    /// replaced as long as nothing was sent, or nothing that must not be sent twice.
    pub(crate) async fn send(&self, mut request: Request<Body>, turn: Turn) -> Result<Response<Body>, Broken> {
        while let Some(requests) = self.take() {
            let again = repeatable(&request);
            match self.exchange(requests, request).await {
                Ok((response, lease)) => return Ok(answer(response, lease, turn)),
                Err((_, Some(unsent))) => request = unsent,
                Err((error, None)) => match again {
                    Some(again) if error.is_incomplete_message() => request = again,
                    _ => return Err(self.broken(error)),
                },
            }
        }
        let requests = self.connect().await?;
        let done = self.exchange(requests, request).await;
        let (response, lease) = done.map_err(|(error, _)| self.broken(error))?;
        Ok(answer(response, lease, turn))
    }

    async fn exchange(
        &self,
        mut requests: SendRequest<Body>,
        request: Request<Body>,
    ) -> Result<(Response<hyper::body::Incoming>, Lease), (hyper::Error, Option<Request<Body>>)> {
        match requests.try_send_request(request).await {
            Ok(response) => Ok((response, Lease::new(requests, self))),
            Err(mut error) => {
                let unsent = error.take_message();
                Err((error.into_error(), unsent))
            }
        }
    }

    fn take(&self) -> Option<SendRequest<Body>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(requests) = idle.pop() {
            if requests.is_ready() && !requests.is_closed() {
                return Some(requests);
            }
        }
        None
    }

    async fn connect(&self) -> Result<SendRequest<Body>, Broken> {
        let stream = self.dialer.dial().await?;
        let mut builder = http1::Builder::new();
        builder.max_headers(MOST_HEADERS);
        if self.dialer.options().read_buffer_size > 400 << 10 {
            builder.max_buf_size(self.dialer.options().read_buffer_size);
        }
        let (requests, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(error))?;
        self.drain.spawn_until_stopped(async move {
            connection.await.ok();
        });
        Ok(requests)
    }

    pub(super) fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    pub(super) fn drain(&self) -> &Drain {
        &self.drain
    }

    pub(super) fn broken(&self, error: hyper::Error) -> Broken {
        Broken::Exchange { address: self.dialer.options().authority(), error }
    }
}

/// The request once more, if sending it twice does no harm.
fn repeatable(request: &Request<Body>) -> Option<Request<Body>> {
    let harmless = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
    if !harmless || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(Body::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = Version::HTTP_11;
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}
