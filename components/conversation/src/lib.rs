//! Models behind HTTP APIs, and the echo that answers with what it was asked.
mod echo;

pub use echo::Echo;

use component_api::Registry;

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    echo::register(registry);
}
