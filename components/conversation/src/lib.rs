//! Models behind HTTP APIs, and the echo that answers with what it was asked.
mod cache;
mod chat;
mod client;
mod compatible;
mod echo;
mod environment;
pub mod openai;

pub use echo::Echo;

use component_api::Registry;

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    echo::register(registry);
    openai::register(registry);
    compatible::register(registry);
}
