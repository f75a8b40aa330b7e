//! Real processes, started as users start them, killed and restarted.
//!
//! The binary is `TRILBY_BIN`, or the one that `cargo build -p trilby` left beside the tests.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // All of it is tests.
mod actors;
mod app;
mod attacker;
mod attacks;
mod authority;
mod broker;
mod client;
mod control_plane;
mod dapr;
mod ending;
mod etcd;
mod fleet;
mod guards;
mod http2;
mod invocation;
mod jobs;
mod kills;
mod kubernetes;
mod malformed;
mod mtls;
mod pressure;
mod reload;
mod replicas;
mod scheduler;
mod schedulers;
mod sentry;
mod sidecar;
mod sockets;
mod telemetry;
mod truncated;
mod wait;
