//! The sidecar, `daprd`: the building blocks, the components they run on, and the API around them.

// The future of a request holds all layers of it in one allocation, which is deeper than the compiler expects.
#![recursion_limit = "256"]

mod actors;
mod address;
mod advice;
pub mod api;
mod app;
mod assemble;
mod bindings;
pub mod components;
mod declared;
mod facts;
mod identity;
mod naming;
pub mod options;
mod outbox;
mod pipelines;
mod process;
mod reload;
mod resources;
mod running;
mod scheduler;
mod servers;
mod stopping;
mod telemetry;
mod wait;
mod watch;

pub use process::main;
