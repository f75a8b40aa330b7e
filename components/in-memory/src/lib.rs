//! Components that live in the memory of the process.
mod configuration;
mod lock;
mod pubsub;
mod state;

pub use configuration::InMemoryConfiguration;
pub use lock::InMemoryLocks;
pub use pubsub::InMemoryBroker;
pub use state::InMemoryStore;

use component_api::Registry;

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    configuration::register(registry);
    lock::register(registry);
    pubsub::register(registry);
    state::register(registry);
}
