//! The API of the sidecar: HTTP and gRPC servers over the building blocks.
pub mod access;
pub mod cors;
pub mod grpc;
pub mod http;
pub(crate) mod observe;
mod pace;
pub(crate) mod panicked;
#[cfg(test)]
mod tests;

pub use observe::{CallLog, Observer};
