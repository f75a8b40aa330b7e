//! All components, made by the registry as the sidecar makes them.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod bearer;
mod provider;
mod rate_limit;
mod route_alias;
mod router_checker;
mod uppercase;
mod world;
