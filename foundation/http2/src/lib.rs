//! The calling side of HTTP/2, to the app and to other sidecars: connections that many calls share, and a call without a task of
//! its own unless its request outlives the head of its answer.
mod connection;
mod connections;
mod exchange;
mod keepalive;

pub use connection::{Connection, Settings};
pub use connections::Connections;
pub use exchange::{Error, Received};
pub use keepalive::Keepalive;

#[cfg(test)]
mod tests;
