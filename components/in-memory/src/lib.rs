//! Components that live in the memory of the process.
mod pubsub;
mod state;

pub use pubsub::InMemoryBroker;
pub use state::InMemoryStore;

use component_api::Registry;

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    pubsub::register(registry);
    state::register(registry);
}
