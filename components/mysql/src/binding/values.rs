//! Values of MySQL as JSON, in the forms that Dapr's component gives them, and the other way.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use component_api::{Error, Result};
use mysql_async::consts::ColumnType::{self, *};
use mysql_async::{Column, Row, Value};
use serde_json::{Map, Value as Json};

/// The number of the character set of what is no text.
const BINARY: u16 = 63;

/// A parameter of a statement. Whole numbers stay whole.
///
/// # Errors
/// Lists and objects, which are no values of columns.
pub(super) fn parameter(json: Json) -> Result<Value> {
    Ok(match json {
        Json::Null => Value::NULL,
        Json::Bool(truth) => truth.into(),
        Json::String(text) => text.into(),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => whole.into(),
            (None, Some(whole)) => whole.into(),
            (None, None) => number.as_f64().into(),
        },
        Json::Array(_) | Json::Object(_) => {
            return Err(Error::invalid("a parameter in params is a list or an object; give it as a JSON text"));
        }
    })
}

/// A row as an object with a field for each column; most columns that are NULL are left out.
pub(super) fn row(row: Row) -> Map<String, Json> {
    let columns = row.columns();
    let values = columns.iter().zip(row.unwrap_raw());
    values.filter_map(|(column, value)| Some((column.name_str().into_owned(), shown(column, value?)?))).collect()
}

/// A value, or nothing where it is left out.
fn shown(column: &Column, value: Value) -> Option<Json> {
    let form = Form::of(column);
    match value {
        Value::NULL if form == Form::Bytes => Some(Json::Null),
        Value::NULL => None,
        Value::Bytes(bytes) => Some(of_bytes(&form, bytes)),
        Value::Int(number) => Some(number.into()),
        Value::UInt(number) => Some(number.into()),
        // The shortest digits that stand for the number, as Go writes it.
        Value::Float(number) => number.to_string().parse().ok().map(Json::Number),
        Value::Double(number) => Some(number.into()),
        Value::Date(year, month, day, hour, minute, second, micros) => {
            Some(date((year, month, day), (hour, minute, second), micros).into())
        }
        Value::Time(is_negative, days, hours, minutes, seconds, micros) => {
            let hours = days * 24 + u32::from(hours);
            let sign = if is_negative { "-" } else { "" };
            Some(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{}", fraction(micros)).into())
        }
    }
}

/// How values of a column are shown.
#[derive(PartialEq, Eq)]
enum Form {
    Number,
    Text,
    /// Base64, which Dapr's component makes of the type JSON too.
    Bytes,
    Other,
}

impl Form {
    fn of(column: &Column) -> Self {
        let is_binary = column.character_set() == BINARY;
        match column.column_type() {
            MYSQL_TYPE_TINY | MYSQL_TYPE_SHORT | MYSQL_TYPE_LONG | MYSQL_TYPE_LONGLONG | MYSQL_TYPE_INT24
            | MYSQL_TYPE_YEAR | MYSQL_TYPE_FLOAT | MYSQL_TYPE_DOUBLE => Self::Number,
            MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL | MYSQL_TYPE_ENUM | MYSQL_TYPE_SET | MYSQL_TYPE_VARCHAR => {
                Self::Text
            }
            MYSQL_TYPE_JSON | MYSQL_TYPE_BIT | MYSQL_TYPE_GEOMETRY => Self::Bytes,
            kind if is_text_or_blob(kind) => {
                if is_binary {
                    Self::Bytes
                } else {
                    Self::Text
                }
            }
            _ => Self::Other,
        }
    }
}

fn is_text_or_blob(kind: ColumnType) -> bool {
    matches!(
        kind,
        MYSQL_TYPE_TINY_BLOB
            | MYSQL_TYPE_MEDIUM_BLOB
            | MYSQL_TYPE_LONG_BLOB
            | MYSQL_TYPE_BLOB
            | MYSQL_TYPE_VAR_STRING
            | MYSQL_TYPE_STRING
    )
}

fn of_bytes(form: &Form, bytes: Vec<u8>) -> Json {
    if *form == Form::Bytes {
        return STANDARD.encode(bytes).into();
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let number = (*form == Form::Number).then(|| text.parse().ok()).flatten();
    number.map_or(Json::String(text), Json::Number)
}

/// As RFC 3339 in UTC. A date has no time of day, which is midnight then.
fn date((year, month, day): (u16, u8, u8), (hour, minute, second): (u8, u8, u8), micros: u32) -> String {
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{}Z",
        fraction(micros).trim_end_matches('0')
    )
}

fn fraction(micros: u32) -> String {
    if micros == 0 { String::new() } else { format!(".{micros:06}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_kind() {
        let of = |json| parameter(json).unwrap();
        assert_eq!(of(serde_json::json!(7)), Value::Int(7));
        assert_eq!(of(serde_json::json!(-1.5)), Value::Double(-1.5));
        assert_eq!(of(serde_json::json!(u64::MAX)), Value::UInt(u64::MAX));
        assert_eq!((of(serde_json::json!("x")), of(Json::Null)), (Value::Bytes(b"x".to_vec()), Value::NULL));
        assert!(parameter(serde_json::json!([1])).is_err());
    }

    #[test]
    fn times() {
        assert_eq!(date((2026, 1, 2), (3, 4, 5), 0), "2026-01-02T03:04:05Z");
        assert_eq!(date((2026, 1, 2), (0, 0, 0), 120_000), "2026-01-02T00:00:00.12Z");
    }
}
