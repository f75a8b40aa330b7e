//! The API of etcd, version 3: a client, and a store that serves it out of one file.
//!
//! The scheduler is a client of this API. Where no etcd is at hand, [`Store`] is one of a single node: records in a crash-safe file,
//! writes of many callers committed together, watches, leases, a quota. Several of them keep the same records by Raft
//! ([`Store::join`]). [`Client`] is a store or an etcd elsewhere. Contract: suite.md 1.3, protocols.md 3.4.
mod authentication;
mod client;
mod damage;
mod database;
mod error;
mod execution;
mod health;
mod history;
mod journal;
mod keys;
mod leases;
mod pairs;
mod quota;
mod read;
mod record;
mod remote;
mod replica;
mod request;
mod reserve;
mod serve;
mod status;
mod store;
mod watcher;
mod watches;
mod writer;

pub use client::{Client, Watching};
pub use error::Error;
pub use keys::prefix_end;
pub use pairs::{Pair, Pairs};
pub use remote::{Remote, RemoteSettings};
pub use replica::{Member, Members, Peers, Transport, Unreached};
pub use serve::routes;
pub use status::Sizes;
pub use store::{Settings, Store};
pub use watcher::{Changes, Watcher};

#[cfg(test)]
mod tests;
