//! Jobs that are due, as the app gets them.
use http::HeaderMap;
use prost_types::Any;

/// A job that is due.
#[derive(Clone, Debug, Default)]
pub struct JobEvent {
    pub name: String,
    /// As it was given with the job.
    pub data: Option<Any>,
    /// Further headers, such as those of the trace.
    pub headers: HeaderMap,
}
