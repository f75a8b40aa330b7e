//! Components that keep their data in SQLite.
mod cleaner;
pub mod configuration;
mod connection;
mod database;
pub mod lock;
mod metadata;
mod migrations;
pub mod naming;
pub mod pubsub;
mod source;
pub mod state;

pub use metadata::ConnectionMetadata;

use component_api::Registry;

/// Scope of log lines, as Dapr names it.
const SCOPE: &str = "dapr.contrib";

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    configuration::register(registry);
    lock::register(registry);
    pubsub::register(registry);
    state::register(registry);
    naming::register(registry);
}
