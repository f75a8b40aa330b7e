//! Name resolution by multicast DNS, the default outside Kubernetes: sidecars of one network find each other by app id.
//!
//! The records are those of Dapr's own resolver, so that both kinds of sidecar find each other. Their service type is the
//! plain app id (`myapp.local.`, without `_tcp`), which common libraries refuse; hence this small responder of its own,
//! the part of RFC 6762 that is needed. Contract: protocols.md 6.6.
mod cache;
mod daemon;
mod message;
mod records;
mod resolver;
mod socket;

pub use resolver::Mdns;

use component_api::{Descriptor, Registry, Status};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;
use std::sync::Arc;

/// The resolver has no settings.
#[derive(Debug, Deserialize, JsonSchema)]
struct Settings {}

/// Adds the resolver `mdns`.
pub fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["mdns"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Finds apps on the local network by multicast DNS; needs no server.",
        schema,
    };
    registry.naming.add(descriptor, |_| async { Ok(Arc::new(Mdns::new()) as _) });
}

fn schema() -> Schema {
    schema_for!(Settings)
}

#[cfg(test)]
mod tests;
