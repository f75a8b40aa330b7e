//! State in MongoDB.
//!
//! Documents are those of Dapr's own component, so that sidecars of both can share a collection.
mod address;
mod collection;
mod error;
pub mod metadata;
mod query;
pub mod state;
mod value;
mod write;

use component_api::Registry;

/// Makes the component of this crate known.
pub fn register(registry: &mut Registry) {
    state::register(registry);
}
