//! State: an app's entries by key, in any store.
//!
//! [`Service`] has all the behaviour; [`endpoints`] and the functions of the gRPC API are its two transports. Contract:
//! surface.md 0, 1.2 and 2.2, protocols.md 7.6.
mod body;
mod encryption;
mod error;
mod failure;
mod grpc;
mod http;
mod keys;
mod layout;
mod model;
mod outbox;
mod pending;
mod service;

pub use encryption::InvalidKey;
pub use error::Error;
pub use failure::{Cause, Failure};
pub use grpc::{
    delete_bulk_state, delete_state, execute_state_transaction, get_bulk_state, get_state, query_state, save_state,
};
pub use http::endpoints;
pub use keys::{IllegalPrefix, KeyPrefix};
pub use layout::{AtRest, InvalidStore, check};
pub use model::{BulkGet, BulkItem, Delete, Get, Operation, Options, Save, Transaction};
pub use outbox::{Bus, Event, Outbox};
pub use service::{Service, StateStore};
