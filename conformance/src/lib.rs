//! One suite per kind of component, run by every component. Features choose the trials.
pub mod binding;
pub mod configuration;
pub mod conversation;
pub mod crypto;
pub mod lock;
pub mod pubsub;
pub mod secret;
pub mod state;
mod trial;
