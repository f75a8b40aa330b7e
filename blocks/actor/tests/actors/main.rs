//! Actors through both transports and between sidecars, with an app and a placement service in this process.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod calls;
mod listing;
mod moving;
mod placement;
mod state;
mod streams;
mod timers;
mod world;
