//! Components on the local machine: secrets of a file and of the environment, and files.
pub mod environment_secrets;
pub mod file_secrets;
pub mod files;

use component_api::Registry;

/// Scope of log lines, as Dapr names it.
const SCOPE: &str = "dapr.contrib";

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    environment_secrets::register(registry);
    file_secrets::register(registry);
    files::register(registry);
}
