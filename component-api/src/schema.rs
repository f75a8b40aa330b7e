//! Schemas of metadata that is read as two structs.
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

/// The schema of pairs that are decoded as an `Own` and as a `Shared`: its texts are those of `Own`.
pub fn schema_of_both<Own: JsonSchema, Shared: JsonSchema>() -> Schema {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<Own>();
    let shared = SchemaGenerator::default().into_root_schema_for::<Shared>();
    for part in ["properties", "$defs", "required"] {
        if let Some(value) = shared.get(part) {
            merge(schema.ensure_object().entry(part).or_insert(Value::Null), value);
        }
    }
    schema
}

fn merge(own: &mut Value, shared: &Value) {
    match (own, shared) {
        (Value::Object(own), Value::Object(shared)) => own.extend(shared.clone()),
        (Value::Array(own), Value::Array(shared)) => own.extend(shared.iter().cloned()),
        (own, shared) => own.clone_from(shared),
    }
}
