//! Components on RabbitMQ: publish/subscribe and a binding.
//!
//! Exchanges, queues and messages are those of Dapr's own components, so that sidecars of both can share a server.
pub mod binding;
mod connection;
mod consumer;
mod error;
mod properties;
pub mod pubsub;
mod server;

use component_api::Registry;

/// Scope of log lines, as Dapr names it.
const SCOPE: &str = "dapr.contrib";

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    pubsub::register(registry);
    binding::register(registry);
}
