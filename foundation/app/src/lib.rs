//! How the sidecar calls the user's app: over HTTP/1.1, HTTP/2 or gRPC, with TLS or without.
//!
//! [`connect`] gives a [`Channel`]; nothing is dialled before the first call. Every call waits for its turn
//! (`--app-max-concurrency`), carries the app's token, and fails while the app is not healthy. Deadlines and retries are
//! the caller's: they belong to its resiliency policies. Contract: surface.md 1.3, 2.3 and 4.5, protocols.md 6.3, 7.3, 7.4.
mod bindings;
mod call;
mod channel;
mod connection;
mod error;
mod events;
mod filled;
mod gzip;
mod headers;
mod health;
mod jobs;
mod listening;
mod options;
mod over_grpc;
mod over_http;
mod status;
mod subscriptions;
pub mod tunnel;
mod turn;

pub use bindings::{BindingAnswer, BindingEvent};
pub use call::{AppStatus, CallContext, Called, Origin};
pub use channel::{Channel, connect};
pub use error::Error;
pub use events::{BulkEntry, BulkEvent, BulkPayload, Envelope, EventStatus, TopicEvent};
pub use filled::Filled;
pub use gzip::{gunzip, offer_gzip};
pub use headers::answer_to_http;
pub use health::Health;
pub use jobs::JobEvent;
pub use listening::wait_until_listening;
pub use options::{AppOptions, HealthOptions, Protocol};
pub use over_grpc::{GrpcConnection, topic_event_request};
pub use over_http::AGENT;
pub use status::{code_of, http_of};
pub use subscriptions::{BulkSubscribe, Rule, Subscription};

#[cfg(test)]
mod json_tests;
#[cfg(test)]
mod tests;
