//! The sidecar itself as a building block: health, the metadata document, shutdown, and what the API answers for blocks of
//! which nothing is configured.
//!
//! Contract: surface.md 0, 1.1, 1.2 and 1.4, suite.md 5.8 and 5.10.
pub mod absent;
mod error;
pub mod grpc;
mod health;
mod http;
mod model;
mod service;

pub use error::Error;
pub use health::{Health, Target};
pub use http::{endpoints, not_found, public_endpoints};
pub use model::{
    ActiveActors, ActorRuntime, ActorStatus, AppConnection, AppHealth, Component, Facts, Rule, Subscription,
};
pub use service::{About, Service, Stop};

#[cfg(test)]
mod tests;
