//! Telemetry of the app: the sidecar is an OTLP receiver for it, which Dapr is not.
//!
//! Metrics of the app become part of the sidecar's own for Prometheus; its traces and logs go where those of the sidecar go.
//! All of them are stamped with the app id. Contract: the OTLP specification 1.10, over gRPC and HTTP.
mod encoding;
mod error;
mod grpc;
mod http;
mod service;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use grpc::{SERVICES, routes};
pub use http::{endpoints, is_export};
pub use service::Service;
