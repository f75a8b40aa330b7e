//! Schemas of structured answers (components.md 4.8).
use serde_json::{Map, Value, json};

const NAME: &str = "response";

/// The member `response_format` for a schema. `name` and `strict` of the schema are those of the format.
pub(super) fn response_format(schema: &Map<String, Value>) -> Value {
    let mut schema = schema.clone();
    let name = schema.remove("name").and_then(|name| name.as_str().map(str::to_owned)).filter(|name| !name.is_empty());
    let strict = schema.remove("strict").and_then(|strict| strict.as_bool()).unwrap_or_default();
    let name = name.unwrap_or_else(|| NAME.to_owned());
    let schema = closed(Value::Object(schema));
    json!({"type": "json_schema", "json_schema": {"name": name, "strict": strict, "schema": schema}})
}

/// Objects have no other members than those that are named, unless the schema allows them.
pub(crate) fn closed(value: Value) -> Value {
    match value {
        Value::Array(list) => list.into_iter().map(closed).collect(),
        Value::Object(members) => {
            let mut members: Map<_, _> = members.into_iter().map(|(name, value)| (name, closed(value))).collect();
            if members.get("type").is_some_and(|kind| kind == "object") {
                members.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            Value::Object(members)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(schema: Value) -> Value {
        response_format(schema.as_object().unwrap())
    }

    #[test]
    fn objects_are_closed() {
        let inner = json!({"type": "object", "additionalProperties": true});
        let schema = json!({"type": "object", "properties": {"type": {"type": "string"}, "list": {"type": "array", "items": {"type": "object"}}, "open": inner}});
        let mut expected = schema.clone();
        expected["additionalProperties"] = false.into();
        expected["properties"]["list"]["items"]["additionalProperties"] = false.into();
        let format = format(schema);
        assert_eq!(format["json_schema"], json!({"name": "response", "strict": false, "schema": expected}));
    }

    #[test]
    fn name_and_strictness_are_those_of_the_schema() {
        let format = format(json!({"type": "string", "name": "city", "strict": true}));
        let expected = json!({"name": "city", "strict": true, "schema": {"type": "string"}});
        assert_eq!(format, json!({"type": "json_schema", "json_schema": expected}));
    }
}
