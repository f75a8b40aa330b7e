//! Connections to the app: dialled when needed, kept for the next call.
mod answer;
pub(crate) mod http1;
pub(crate) mod http2;

use crate::{AppOptions, Error};
use foundation_drain::Drain;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tonic::Status;

/// Time for a new connection to stand.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Broken {
    Dial {
        address: String,
        error: io::Error,
    },
    /// The connection failed while it was used.
    Exchange {
        address: String,
        error: hyper::Error,
    },
}

impl Broken {
    fn parts(&self) -> (&str, String) {
        match self {
            Self::Dial { address, error } => (address, format!("dial tcp {address}: {error}")),
            Self::Exchange { address, error } => (address, chain(error)),
        }
    }
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        let (address, message) = broken.parts();
        Self::Unreachable { address: address.to_owned(), message }
    }
}

impl From<Broken> for Status {
    fn from(broken: Broken) -> Self {
        let (_, message) = broken.parts();
        Self::unavailable(format!("connection error: {message}"))
    }
}

/// An error with its causes, which libraries leave out of their own texts.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A TCP connection that sends small messages at once.
pub(crate) async fn dial(options: &AppOptions, patience: Duration) -> io::Result<TcpStream> {
    let host = options.host.trim_start_matches('[').trim_end_matches(']');
    let connecting = TcpStream::connect((host, options.port));
    let stream =
        tokio::time::timeout(patience, connecting).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn dial_for_calls(options: &AppOptions) -> Result<TcpStream, Broken> {
    dial(options, DIAL_TIMEOUT).await.map_err(|error| Broken::Dial { address: options.authority(), error })
}

/// Runs the tasks of HTTP/2 connections under a drain.
#[derive(Clone, Debug)]
struct Spawner(Drain);

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn_until_stopped(task);
    }
}
