//! Jobs: an app has itself called at a time or by a schedule, which the scheduler keeps.
//!
//! [`Service`] has all the behaviour; [`endpoints`] and the functions of the gRPC API are its two transports, and [`Delivery`] is
//! how due jobs reach the app. Contract: surface.md 1.2, protocols.md 3.6.
mod delivery;
mod error;
mod grpc;
mod http;
mod model;
mod service;

pub use delivery::Delivery;
pub use error::{Error, Reason};
pub use grpc::{delete_job, delete_jobs_by_prefix, get_job, list_jobs, schedule_job};
pub use http::endpoints;
pub use service::Service;
