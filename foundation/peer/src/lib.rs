//! Sidecar to sidecar: finding others by name, pooled connections, and the calls between them.
//!
//! A call is a [`Head`] and a [`Payload`]; an [`Answer`] comes back. [`Peers`] is the calling side, [`receive`] the other one.
//! Between them travel the messages of `dapr.proto.internals.v1.ServiceInvocation`, so that either side may be Dapr's own.
//! Contract: protocols.md 6.
mod call;
mod connection;
mod control;
mod envelope;
mod error;
pub mod headers;
pub mod method;
mod names;
mod own;
mod peers;
mod pieces;
mod proto;
pub mod receive;
mod target;
mod unary;

pub use call::{Answer, Head, Origin, Outcome, Payload};
pub use control::{Connected, ControlService};
pub use error::{Error, describe};
pub use own::Own;
pub use peers::Peers;
pub use proto::Malformed;
pub use target::Target;
