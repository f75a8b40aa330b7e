//! The JSON form of protobuf messages, for endpoints whose bodies are such (surface.md 1.1, "universal" handlers).
//!
//! Types that are read name both forms of a field (`resourceId` and `resource_id`), take `null` for an absent one, and
//! ignore what they do not know.
use serde::de::{DeserializeOwned, Deserializer, Error as _, Unexpected};
use serde::{Deserialize, Serializer};
use serde_json::Value;
use std::time::Duration;

/// Reads a message; no body at all is an empty message.
///
/// # Errors
/// The decoder's own text.
pub fn message<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, serde_json::Error> {
    if body.is_empty() {
        return Ok(T::default());
    }
    // Sequences would do for structs too, but not for messages.
    let value: Value = serde_json::from_slice(body)?;
    if !value.is_object() {
        return Err(serde_json::Error::custom("a JSON object is expected"));
    }
    serde_json::from_value(value)
}

/// For `deserialize_with`: `null` is the default value.
///
/// # Errors
/// Those of the type.
pub fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// For `deserialize_with`: a 32-bit integer, which may be written as a string or with a fraction of zero.
///
/// # Errors
/// Anything else, or a number that is too large.
pub fn int32<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let value = Option::<Value>::deserialize(deserializer)?;
    let number = match &value {
        None => return Ok(0),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    let whole = number.filter(|number| number.fract() == 0.0 && f64::from(i32::MIN) <= *number);
    let whole = whole.filter(|number| *number <= f64::from(i32::MAX));
    #[allow(clippy::cast_possible_truncation)] // It is whole and within the limits.
    let whole = whole.map(|number| number as i32);
    whole.ok_or_else(|| D::Error::invalid_value(Unexpected::Other("no such number"), &"a 32-bit integer"))
}

/// For `deserialize_with`: a 32-bit integer that is not negative, which may be written as a string; `null` is none.
///
/// # Errors
/// Anything else, or a number that is too large.
pub fn uint32<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let Some(value) = Option::<Value>::deserialize(deserializer)? else { return Ok(None) };
    let number = match &value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    number.map(Some).ok_or_else(|| D::Error::custom("a 32-bit integer that is not negative is expected"))
}

/// For `deserialize_with`: a 64-bit float, which may be written as a string.
///
/// # Errors
/// Anything else.
pub fn float<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = match Option::<Value>::deserialize(deserializer)? {
        None => return Ok(0.0),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    number.ok_or_else(|| D::Error::invalid_value(Unexpected::Other("no such number"), &"a 64-bit float"))
}

/// For `deserialize_with`: a time that is not negative, as seconds with an `s` after them, such as `1.5s`.
///
/// # Errors
/// Anything else.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let seconds = text.strip_suffix('s').and_then(|seconds| seconds.parse::<f64>().ok());
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.map(Some).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &"a number of seconds such as 1.5s"))
}

/// For `skip_serializing_if`: an absent field is one with its default value.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// For `serialize_with`: a signed 64-bit integer is written as a string.
///
/// # Errors
/// Those of the serializer.
#[allow(clippy::trivially_copy_pass_by_ref)] // It is serde's signature.
pub fn int64<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// For `serialize_with`: a 64-bit integer is written as a string.
///
/// # Errors
/// Those of the serializer.
#[allow(clippy::trivially_copy_pass_by_ref)] // It is serde's signature.
pub fn uint64<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, rename_all = "camelCase")]
    struct Message {
        #[serde(alias = "full_name", deserialize_with = "or_default")]
        full_name: String,
        #[serde(deserialize_with = "int32")]
        count: i32,
        #[serde(deserialize_with = "float")]
        share: f64,
        #[serde(deserialize_with = "duration")]
        time: Option<Duration>,
    }

    fn read(text: &str) -> Option<(String, i32)> {
        message::<Message>(text.as_bytes()).ok().map(|message| (message.full_name, message.count))
    }

    #[test]
    fn floats_and_times_have_forms_of_their_own() {
        let read = |text: &str| message::<Message>(text.as_bytes()).ok().map(|message| (message.share, message.time));
        assert_eq!(read(r#"{"share":0.5,"time":"1.5s"}"#), Some((0.5, Some(Duration::from_millis(1500)))));
        assert_eq!(read(r#"{"share":"2","time":null}"#), Some((2.0, None)));
        for wrong in [r#"{"share":true}"#, r#"{"time":"1h"}"#, r#"{"time":"-1s"}"#, r#"{"time":5}"#] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn messages_are_read_as_protobuf_does() {
        let expected = |name: &str, count| Some((name.to_owned(), count));
        for text in [r#"{"fullName":"n","count":5}"#, r#"{"full_name":"n","count":"5","other":[]}"#] {
            assert_eq!(read(text), expected("n", 5), "{text}");
        }
        for text in ["", "{}", r#"{"fullName":null,"count":null}"#] {
            assert_eq!(read(text), expected("", 0), "{text}");
        }
        assert_eq!(read(r#"{"count":-2.0}"#), expected("", -2));
        for wrong in ["x", "[]", "null", r#"["n",5]"#, r#"{"count":1.5}"#, r#"{"count":3e9}"#, r#"{"count":"x"}"#] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(read(r#"{"fullName":1}"#), None);
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..80), text in "[-+0-9.eEinfaNs]{0,12}") {
            message::<Message>(&body).ok();
            for value in [json!({"count": text, "share": text}), json!({"time": text})] {
                let read = message::<Message>(value.to_string().as_bytes());
                prop_assert!(read.is_err() || read.unwrap().time.is_none_or(|time| text.ends_with('s') && time >= Duration::ZERO));
            }
        }

        #[test]
        fn numbers_are_read_in_both_forms(count in any::<i32>(), share in prop::num::f64::NORMAL) {
            for (count_form, share_form) in [(json!(count), json!(share)), (json!(count.to_string()), json!(share.to_string()))] {
                let read: Message = message(json!({"count": count_form, "share": share_form}).to_string().as_bytes()).unwrap();
                prop_assert_eq!(read.count, count);
                prop_assert!((read.share - share).abs() <= share.abs() * 4.0 * f64::EPSILON);
            }
        }
    }
}
