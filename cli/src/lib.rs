//! The command line tool, `dapr`: runs apps with their sidecars, lists and stops them, and calls them (surface.md 7).
//!
//! It works with no server, no container and no network: what `dapr init` writes, and what `dapr run` falls back to without
//! it, are the embedded components on files below `~/.dapr`.
mod client;
mod command_line;
mod commands;
mod console;
mod context;
mod install;
mod instances;
mod output;
mod ports;
mod resources;
mod running;
mod scheduler;
mod table;
mod time;

pub use command_line::main;
