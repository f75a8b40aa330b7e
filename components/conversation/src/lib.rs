//! Models behind HTTP APIs, and the echo that answers with what it was asked.
use component_api::Registry;

/// Makes the components of this crate known.
pub fn register(_registry: &mut Registry) {}
