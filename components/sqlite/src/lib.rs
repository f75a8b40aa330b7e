//! Components that keep their data in SQLite.
mod cleaner;
mod connection;
mod database;
mod metadata;
mod migrations;
pub mod naming;
pub mod pubsub;
pub mod state;

use component_api::Registry;

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    pubsub::register(registry);
    state::register(registry);
    naming::register(registry);
}
