//! Connections to the app: dialled when needed, kept for the next call.
mod answer;
mod dialer;
pub(crate) mod http1;
pub(crate) mod http2;
mod upgrade;

pub(crate) use dialer::{Dialer, tcp};

use crate::Error;
use foundation_grpc::of_broken;
use std::io;
use std::sync::Arc;
use tonic::Status;

const MAYBE_GRPC: &str = "; does the app speak gRPC? set --app-protocol grpc";
const MAYBE_PLAIN: &str = "; does the app speak TLS? without it set --app-protocol http, h2c or grpc";

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
    /// The same over HTTP/2.
    Http2 {
        address: String,
        error: foundation_http2::Error,
    },
    /// Another call has tried to connect, and this one waited for it.
    Shared(Arc<Self>),
}

impl Broken {
    fn parts(&self) -> (&str, String) {
        match self {
            Self::Dial { address, error } => {
                let advice = if is_no_tls(error) { MAYBE_PLAIN } else { "" };
                (address, format!("dial tcp {address}: {error}{advice}"))
            }
            Self::Exchange { address, error } => {
                let message = chain(error);
                let advice = if is_other_protocol(error, &message) { MAYBE_GRPC } else { "" };
                (address, message + advice)
            }
            Self::Http2 { address, error } => (address, error.to_string()),
            Self::Shared(broken) => broken.parts(),
        }
    }
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        if let Broken::Exchange { error, .. } = &broken
            && let Some(cause) = of_caller(error)
        {
            return Self::Body(chain(cause));
        }
        let (address, message) = broken.parts();
        Self::Unreachable { address: address.to_owned(), message }
    }
}

impl From<Broken> for Status {
    fn from(broken: Broken) -> Self {
        if let Broken::Http2 { error: foundation_http2::Error::Broken(error), .. } = &broken
            && error.reason().is_some()
        {
            return of_broken(error);
        }
        let (_, message) = broken.parts();
        Self::unavailable(format!("connection error: {message}"))
    }
}

/// Whether what came is no answer of HTTP/1.1, or came unasked: HTTP/2 begins with a greeting.
fn is_other_protocol(error: &hyper::Error, message: &str) -> bool {
    error.is_parse() || message.ends_with("unexpected message from connection")
}

/// What broke the body of the request, which the app has no part in.
fn of_caller(error: &hyper::Error) -> Option<&(dyn std::error::Error + 'static)> {
    std::error::Error::source(error).filter(|_| error.is_user())
}

/// Whether what answered to TLS was something else.
fn is_no_tls(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    matches!(cause, Some(rustls::Error::InvalidMessage(_)))
}

/// An error with its causes, which libraries leave out of their own texts; each layer around a body says the same again.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}
