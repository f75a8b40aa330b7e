//! Components in other processes, behind Unix sockets (surface.md 2.6).
//!
//! A process serves Dapr's component protocol (`dapr.proto.components.v1`) and gRPC reflection on a socket in the folder
//! that `DAPR_COMPONENTS_SOCKETS_FOLDER` names. [`discover`] asks every socket what it serves; the type of the component is
//! the category and the name of the socket, such as `state.my-store` for `my-store.sock`.
//!
//! This is the only component that knows wire types and gRPC: speaking them is what it is for.
mod binding;
mod connection;
mod discovery;
mod error;
mod pubsub;
mod secret;
mod state;
mod stream;

pub use discovery::discover;
