//! Output bindings through both transports, and input bindings with apps of both protocols.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod input;
mod output;
mod world;
