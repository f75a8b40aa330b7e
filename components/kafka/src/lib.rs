//! Components on Apache Kafka: publish/subscribe and a binding.
//!
//! Topics, keys, headers and consumer groups are those of Dapr's own components, so that sidecars of both can share a group.
mod avro;
pub mod binding;
mod client;
mod consumer;
mod error;
mod http;
mod metadata;
mod producer;
pub mod pubsub;
mod record;
mod registry;
mod security;
mod token;
mod values;

use component_api::Registry;

/// Where messages of the log come from, as Dapr names it.
const SCOPE: &str = "dapr.contrib";

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    pubsub::register(registry);
    binding::register(registry);
}
