//! Bindings: operations on systems outside, and events that come in from them.
//!
//! [`Service`] does the operations; [`endpoints`] and [`invoke_binding`] are its two transports. [`Reader`] hands events to
//! the app while it is healthy. Contract: surface.md 1.2, 1.3, 2.3 and 3.2.
mod delivery;
mod error;
mod grpc;
mod http;
mod model;
mod reader;
mod service;

pub use delivery::SaveState;
pub use error::Error;
pub use grpc::invoke_binding;
pub use http::endpoints;
pub use model::{Direction, Outcome};
pub use reader::{Options, Reader};
pub use service::Service;
