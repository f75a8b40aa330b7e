//! All components, made by the registry as the sidecar makes them.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod bearer;
#[cfg(feature = "oauth2")]
mod oauth2;
#[cfg(feature = "oauth2")]
mod oauth2_client_credentials;
#[cfg(feature = "opa")]
mod opa;
mod provider;
mod rate_limit;
mod route_alias;
mod router_checker;
mod sentinel;
mod uppercase;
#[cfg(feature = "wasm")]
mod wasm;
mod world;
