//! Components that speak HTTP: the output binding `http`.
use component_api::Registry;

/// Makes the components of this crate known.
pub fn register(_registry: &mut Registry) {}
