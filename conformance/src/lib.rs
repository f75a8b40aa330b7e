//! One suite per kind of component, run by every component. Features choose the trials.
pub mod binding;
pub mod certificates;
pub mod configuration;
pub mod conversation;
pub mod crypto;
pub mod lock;
pub mod patience;
pub mod proxy;
pub mod pubsub;
pub mod secret;
pub mod server;
pub mod state;
mod trial;
