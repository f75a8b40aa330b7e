//! What the components of this crate have in common for the registry.
use component_api::{Descriptor, Status};
use schemars::{JsonSchema, Schema, schema_for};

/// The descriptor of a component whose metadata is `M`.
pub(crate) fn descriptor<M: JsonSchema>(
    names: &'static [&'static str],
    status: Status,
    summary: &'static str,
) -> Descriptor {
    Descriptor { names, versions: &["v1"], status, summary, schema: schema::<M> }
}

fn schema<M: JsonSchema>() -> Schema {
    schema_for!(M)
}
