//! What the components of this crate have in common for the registry, and how they read their metadata.
use component_api::{Descriptor, Properties, Status};
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

/// The first of the names that has a value.
pub(crate) fn text<'a>(properties: &'a Properties, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| properties.get(name)).filter(|text| !text.is_empty())
}
