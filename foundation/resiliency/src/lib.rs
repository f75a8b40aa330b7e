//! Timeouts, retries and circuit breakers around every outbound call, as Resiliency resources say.
//!
//! A block asks [`Resiliency`] for the [`Policy`] of its call and makes it by [`Policy::run`]: retry(breaker(timeout(attempt))).
//! Contract: surface.md 3.5 and 6.3.
mod breaker;
mod breakers;
mod error;
mod matching;
mod names;
mod observer;
mod policies;
mod policy;
mod resiliency;
mod retry;
mod tables;
mod target;
mod trip;
mod undefined;

pub use breaker::State;
pub use error::{Error, Failure};
pub use names::{BuiltIn, ComponentKind, Direction};
pub use policies::Policies;
pub use policy::Policy;
pub use resiliency::Resiliency;
