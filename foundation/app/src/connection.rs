//! Connections to the app: dialled when needed, kept for the next call.
mod answer;
mod dialer;
pub(crate) mod http1;
pub(crate) mod http2;
mod upgrade;

pub(crate) use dialer::{Dialer, tcp};

use crate::Error;
use dialer::Stream;
use foundation_cork::Cork;
use foundation_drain::Drain;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use tonic::Status;

const MAYBE_GRPC: &str = "; does the app speak gRPC? set --app-protocol grpc";

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
            Self::Exchange { address, error } => {
                let message = chain(error);
                let advice = if is_other_protocol(error, &message) { MAYBE_GRPC } else { "" };
                (address, message + advice)
            }
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

/// Whether what came is no answer of HTTP/1.1, or came unasked: HTTP/2 begins with a greeting.
fn is_other_protocol(error: &hyper::Error, message: &str) -> bool {
    error.is_parse() || message.ends_with("unexpected message from connection")
}

/// An error with its causes, which libraries leave out of their own texts.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Runs the tasks of an HTTP/2 connection under a drain; what a turn of one writes goes out at its end.
#[derive(Clone, Debug)]
struct Spawner {
    drain: Drain,
    cork: Cork<Stream>,
}

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let cork = self.cork.clone();
        self.drain.spawn_until_stopped(async move {
            let mut task = pin!(task);
            poll_fn(|cx| cork.turn(cx, task.as_mut())).await;
        });
    }
}
