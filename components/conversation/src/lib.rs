//! Models behind HTTP APIs, and the echo that answers with what it was asked.
mod anthropic;
mod cache;
mod chat;
mod client;
mod compatible;
mod echo;
mod environment;
mod openai;
mod remote;

pub use echo::Echo;

use component_api::Registry;

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    anthropic::register(registry);
    echo::register(registry);
    openai::register(registry);
    compatible::register(registry);
}
