//! Values of attributes as text.
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use std::fmt::Write as _;

/// A value in the form that tags and labels have; lists and maps as JSON would have them.
pub(crate) fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::ArrayValue(array)) => {
            let items: Vec<String> = array.values.iter().map(|value| quoted(Some(value))).collect();
            format!("[{}]", items.join(","))
        }
        Some(Value::KvlistValue(list)) => {
            let members =
                list.values.iter().map(|member| format!("{:?}:{}", member.key, quoted(member.value.as_ref())));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Some(Value::BytesValue(bytes)) => hex(bytes),
        _ => String::new(),
    }
}

/// The value of an attribute.
pub(crate) fn find(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    Some(text(found.value.as_ref()))
}

/// Hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

fn quoted(value: Option<&AnyValue>) -> String {
    let is_text = matches!(value.and_then(|value| value.value.as_ref()), Some(Value::StringValue(_)));
    let text = text(value);
    if is_text { format!("{text:?}") } else { text }
}
