//! The placement service: tells every sidecar which host serves which actor.
//!
//! Sidecars report the actor types that they host on a stream; whenever the set of hosts changes, all of a namespace get the new
//! tables in three phases (lock, update, unlock), so that no two hosts serve one actor. [`Namespace`] is that protocol
//! without any input or output. Contract: protocols.md 1.
mod authorization;
mod namespace;

pub use authorization::{Refusal, check};
pub use namespace::{Effect, Namespace, Settings, StreamId};
