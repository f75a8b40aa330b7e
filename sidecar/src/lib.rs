//! The sidecar, `daprd`: the building blocks, the components they run on, and the API around them.
mod address;
pub mod api;
mod app;
mod assemble;
mod bindings;
pub mod components;
mod facts;
mod naming;
pub mod options;
mod pipelines;
mod process;
pub mod resources;
mod running;
mod servers;
mod stopping;
mod telemetry;
mod wait;

pub use process::main;
