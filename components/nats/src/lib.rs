//! Components on NATS JetStream: publish/subscribe on its streams, and state in its key-value buckets.
//!
//! Consumers, messages, headers and keys are those of Dapr's own components, so that sidecars of both can share a server.
mod connection;
mod error;
pub mod pubsub;
mod server;
pub mod state;

use component_api::Registry;

/// Scope of log lines, as Dapr names it.
const SCOPE: &str = "dapr.contrib";

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    pubsub::register(registry);
    state::register(registry);
}
