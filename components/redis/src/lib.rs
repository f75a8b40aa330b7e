//! Components on Redis: state, publish/subscribe, configuration, locks and a binding over one kind of connection.
//!
//! Keys and values are those of Dapr's own components, so that sidecars of both can share a server.
pub mod binding;
pub mod configuration;
mod connection;
pub mod lock;
pub mod metadata;
pub mod pubsub;
pub mod state;

use component_api::Registry;

/// Scope of log lines, as Dapr names it.
const SCOPE: &str = "dapr.contrib";

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    state::register(registry);
    pubsub::register(registry);
    configuration::register(registry);
    lock::register(registry);
    binding::register(registry);
}
