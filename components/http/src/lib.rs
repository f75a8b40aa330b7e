//! Components that call HTTP servers.
mod answer;
pub mod binding;
mod request;
mod settings;
mod tls;

pub use settings::Settings;

use component_api::Registry;

/// Scope of log lines, as Dapr names it.
const SCOPE: &str = "dapr.contrib";

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    binding::register(registry);
}
