//! Schemas of metadata that is read as several structs.
use schemars::Schema;
use serde_json::Value;

/// The schema of pairs that are decoded as each of these: texts are those of `own`.
pub fn merged_schema(mut own: Schema, others: &[Schema]) -> Schema {
    for other in others {
        for part in ["properties", "$defs", "required"] {
            if let Some(value) = other.get(part) {
                merge(own.ensure_object().entry(part).or_insert(Value::Null), value);
            }
        }
    }
    own
}

fn merge(own: &mut Value, other: &Value) {
    match (own, other) {
        (Value::Object(own), Value::Object(other)) => own.extend(other.clone()),
        (Value::Array(own), Value::Array(other)) => own.extend(other.iter().cloned()),
        (own, other) => own.clone_from(other),
    }
}
