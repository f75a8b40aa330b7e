//! Components on PostgreSQL, and on databases that speak its protocol: state, configuration and a binding.
//!
//! Tables are those of Dapr's own components, so that sidecars of both can share a database.
pub mod binding;
pub mod configuration;
mod connection_string;
mod database;
pub mod metadata;
pub mod state;
mod tls;

use component_api::Registry;

/// Scope of log lines, as Dapr names it.
const SCOPE: &str = "dapr.contrib";

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    state::register(registry);
    configuration::register(registry);
    binding::register(registry);
}
