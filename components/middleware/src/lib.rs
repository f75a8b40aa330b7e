//! HTTP middleware of all kinds: `middleware.http.*`.
pub mod bearer;
mod client;
mod descriptor;
pub mod rate_limit;
mod response;
pub mod route_alias;
pub mod router_checker;
pub mod uppercase;

use component_api::Registry;

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    bearer::register(registry);
    rate_limit::register(registry);
    route_alias::register(registry);
    router_checker::register(registry);
    uppercase::register(registry);
}
