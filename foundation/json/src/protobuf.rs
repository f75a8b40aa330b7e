//! JSON as `google.protobuf.Value`, and back.
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value as Message};
use serde_json::{Number, Value};

/// Levels of an attribute: decoders of Protocol Buffers take a hundred messages, and each level is two or three.
const LEVELS: usize = 32;
/// Beyond this not every whole number is a 64-bit float.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// A JSON value as a message. What is nested too deep for readers of messages becomes null.
pub fn to_protobuf(value: &Value) -> Message {
    message(value, LEVELS)
}

/// A message as JSON: a number that is none in JSON becomes null, and whole ones are written without a fraction.
pub fn of_protobuf(message: Message) -> Value {
    match message.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::NumberValue(number)) => self::number(number),
        Some(Kind::StringValue(text)) => Value::String(text),
        Some(Kind::BoolValue(is)) => Value::Bool(is),
        Some(Kind::StructValue(message)) => {
            Value::Object(message.fields.into_iter().map(|(name, value)| (name, of_protobuf(value))).collect())
        }
        Some(Kind::ListValue(list)) => list.values.into_iter().map(of_protobuf).collect(),
    }
}

/// What is below `levels` is null.
fn message(value: &Value, levels: usize) -> Message {
    let kind = match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => Kind::NullValue(0),
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(items) => {
            Kind::ListValue(ListValue { values: items.iter().map(|item| message(item, levels - 1)).collect() })
        }
        Value::Object(members) => Kind::StructValue(Struct {
            fields: members.iter().map(|(name, value)| (name.clone(), message(value, levels - 1))).collect(),
        }),
    };
    Message { kind: Some(kind) }
}

#[allow(clippy::cast_possible_truncation)] // It is whole and small enough.
fn number(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() <= WHOLE {
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn there_and_back_is_the_same() {
        let value = json!({"a": [1, -2.5, "x", null, true, {"b": {}}], "c": 9_007_199_254_740_992_i64});
        assert_eq!(of_protobuf(to_protobuf(&value)), value);
        assert_eq!(of_protobuf(Message { kind: Some(Kind::NumberValue(f64::NAN)) }), Value::Null);
    }
}
