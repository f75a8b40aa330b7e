//! Connections to the app: dialled when needed, kept for the next call.
mod answer;
mod dialer;
pub(crate) mod http1;
pub(crate) mod http2;
mod upgrade;

pub(crate) use dialer::{Dialer, tcp};

use crate::Error;
use foundation_drain::Drain;
use std::future::Future;
use std::io;
use tonic::Status;

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
