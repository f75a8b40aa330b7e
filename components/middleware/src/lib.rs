//! HTTP middleware of all kinds: `middleware.http.*`.
pub mod bearer;
mod client;
mod descriptor;
#[cfg(feature = "oauth2")]
pub mod oauth2;
#[cfg(feature = "oauth2")]
pub mod oauth2_client_credentials;
#[cfg(feature = "opa")]
pub mod opa;
#[cfg(feature = "oauth2")]
mod path_filter;
pub mod rate_limit;
mod response;
pub mod route_alias;
pub mod router_checker;
pub mod sentinel;
mod together;
#[cfg(feature = "oauth2")]
mod token_endpoint;
pub mod uppercase;
#[cfg(feature = "wasm")]
pub mod wasm;

use component_api::Registry;

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    bearer::register(registry);
    #[cfg(feature = "oauth2")]
    oauth2::register(registry);
    #[cfg(feature = "oauth2")]
    oauth2_client_credentials::register(registry);
    #[cfg(feature = "opa")]
    opa::register(registry);
    rate_limit::register(registry);
    route_alias::register(registry);
    router_checker::register(registry);
    sentinel::register(registry);
    uppercase::register(registry);
    #[cfg(feature = "wasm")]
    wasm::register(registry);
}
