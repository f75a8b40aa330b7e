//! Configuration: an app reads values from a store and is told when they change.
//!
//! [`Service`] has all the behaviour; [`endpoints`] and the functions of the gRPC API are its two transports. Contract:
//! surface.md 0.23, 1.2, 1.3 and 2.2.
mod app;
mod error;
mod grpc;
mod http;
mod model;
mod service;
mod subscriptions;
mod updates;

pub use error::Error;
pub use grpc::{Responses, get_configuration, subscribe_configuration, unsubscribe_configuration};
pub use http::endpoints;
pub use model::{Query, Update};
pub use service::{ConfigurationStore, Service};
pub use updates::Updates;
