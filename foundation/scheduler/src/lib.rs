//! The sidecar's side of the scheduler: what blocks ask of it, and what it tells them when jobs are due (protocols.md 3.5).
mod calls;
mod hosts;
mod misfire;
mod outage;
mod policy;
mod room;
mod stream;
mod wanted;

pub use hosts::{Client, Options};
pub use misfire::MisfirePolicy;
pub use policy::FailurePolicy;
pub use stream::{Deliver, Outcome};
pub use wanted::Wanted;
