//! One suite per kind of component, run by every component. Features choose the trials.
pub mod pubsub;
pub mod secret;
pub mod state;
mod trial;
