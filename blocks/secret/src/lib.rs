//! Secrets: reading them from any store, as far as the app may see them.
//!
//! [`Service`] has all the behaviour; [`endpoints`] and the functions of the gRPC API are its two transports. Contract:
//! surface.md 1.2, 2.2 and 3.3.
mod error;
mod grpc;
mod http;
mod model;
mod scopes;
mod service;

pub use error::Error;
pub use grpc::{get_bulk_secret, get_secret};
pub use http::endpoints;
pub use model::Secrets;
pub use scopes::{Access, Scope, Scopes};
pub use service::Service;
