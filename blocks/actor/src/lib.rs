//! Virtual actors: objects with state and one turn at a time, each active on one host at most, wherever it is called from.
//!
//! The placement service tells which sidecar hosts which types; [`Service`] serves calls of actors that live here and passes others
//! on. Apps host actors over HTTP, or over gRPC on a stream that they open. [`endpoints`] and the functions of the gRPC API are
//! its two transports, [`internal_routes`] is what other sidecars call. Contract: protocols.md 1 and 2, surface.md 1.2.
mod actor;
mod app;
mod body;
mod due;
mod errand;
mod error;
mod events;
mod grpc;
mod hosting;
mod hosts;
mod http;
mod idle;
mod internal;
mod listing;
mod measure;
mod model;
mod moment;
mod network;
mod placement;
mod reminders;
mod ring;
mod router;
mod runtime;
mod service;
mod sizes;
mod state;
mod store_watch;
mod tick;
mod timers;
mod trace;
mod turns;
mod watched;

pub use error::{Error, Failure};
pub use events::{ActorEvents, subscribe_actor_events};
pub use grpc::{
    execute_actor_state_transaction, get_actor_reminder, get_actor_state, invoke_actor, list_actor_reminders,
    register_actor_reminder, register_actor_timer, unregister_actor_reminder, unregister_actor_reminders_by_type,
    unregister_actor_timer,
};
pub use hosting::{Hosting, Invalid, Section, TypeSettings};
pub use http::endpoints;
pub use internal::{call_actor, call_actor_reminder, internal_routes};
pub use listing::{Active, Page};
pub use model::{ActorKey, Answer, Call, Metadata};
pub use network::{Neighbours, Orders, Replicas};
pub use reminders::{Kept, NewReminder};
pub use ring::{Host, Ring};
pub use runtime::Options;
pub use service::{RuntimeStatus, Service};
pub use sizes::StateSize;
pub use state::Operation;
pub use tick::{Kind, Tick};
pub use turns::Reentrancy;
