//! Distributed locks: an owner takes a lock on a resource for a while, in any store.
//!
//! [`Service`] has all the behaviour; [`endpoints`] and the functions of the gRPC API are its two transports. Contract:
//! surface.md 0.24, 1.2 and 3.2.
mod error;
mod grpc;
mod http;
mod keys;
mod model;
mod service;

pub use error::Error;
pub use grpc::{try_lock, unlock};
pub use http::endpoints;
pub use keys::{IllegalPrefix, KeyPrefix};
pub use model::{TryLock, Unlock};
pub use service::{LockStore, Service};
