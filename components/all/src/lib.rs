//! The one list of all component types of this build.
use component_api::Registry;

/// Makes all components known.
pub fn register_all(registry: &mut Registry) {
    component_in_memory::register(registry);
    component_mdns::register(registry);
    component_sqlite::register(registry);
}
