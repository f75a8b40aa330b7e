//! Components on MySQL and MariaDB: state and a binding.
//!
//! Tables and rows are those of Dapr's own components, so that sidecars of both can share a database.
pub mod binding;
mod data_source;
mod database;
pub mod state;

use component_api::Registry;

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    state::register(registry);
    binding::register(registry);
}
