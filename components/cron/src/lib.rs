//! Bindings that fire by a schedule.
use component_api::Registry;

/// Makes the components of this crate known.
pub fn register(_registry: &mut Registry) {}
