//! The seam between building blocks and technologies: what a component implements and a block calls.
//!
//! A component never sees HTTP, gRPC or a block; a block never names a technology.
pub mod binding;
pub mod configuration;
pub mod conversation;
pub mod crypto;
mod error;
mod live;
pub mod lock;
pub mod middleware;
pub mod naming;
mod on_demand;
mod outage;
pub mod pubsub;
mod registry;
mod schema;
pub mod secret;
pub mod state;
mod task;

pub use error::{Answer, Error, Kind, Result};
pub use foundation_metadata::{ByteSize, GoDuration, Properties, Secret};
pub use live::{Instance, Live};
pub use on_demand::{OnDemand, Serial};
pub use outage::Outage;
pub use registry::{Config, Descriptor, Factory, Lookup, Registry, Status, Table, unknown_type};
pub use schema::merged_schema;
pub use task::{Ending, Task};

/// Request metadata: names as the caller wrote them, looked up without regard to case by [`metadata_value`].
pub type Metadata = std::collections::BTreeMap<String, String>;

/// The value of a request metadata name, without regard to case.
pub fn metadata_value<'a>(metadata: &'a Metadata, name: &str) -> Option<&'a str> {
    let exact = metadata.get(name);
    let found =
        exact.or_else(|| metadata.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    found.map(String::as_str)
}
