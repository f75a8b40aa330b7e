//! Components on MQTT 3.1.1: publish/subscribe and a binding.
pub mod binding;
mod consumer;
mod filter;
mod ledger;
mod metadata;
pub mod pubsub;
mod router;
mod server;
mod session;

use component_api::Registry;

/// Scope of log lines, as Dapr names it.
const SCOPE: &str = "dapr.contrib";

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    pubsub::register(registry);
    binding::register(registry);
}
