//! Cryptography: documents encrypted as streams, and operations with single keys, with the keys of any provider.
//!
//! [`Service`] has all the behaviour; [`endpoints`] and the functions of the gRPC API are its two transports. Contract:
//! surface.md 1.2 and 2.2.
mod error;
mod grpc;
mod http;
mod model;
mod scheme;
mod service;
pub mod subtle;

pub use error::Error;
pub use grpc::{Answers, decrypt, encrypt};
pub use http::endpoints;
pub use model::{DecryptOptions, EncryptOptions};
pub use service::{Input, Output, Provider, Service};
