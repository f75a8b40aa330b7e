//! Values of PostgreSQL as JSON, and the other way.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use component_api::{Error, Result};
use serde_json::{Number, Value};
use std::error::Error as StdError;
use tokio_postgres::Row;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};

/// What a missing value is in JSON.
const NULL: &str = "null";

/// A parameter as PostgreSQL reads it from text, whatever its type is.
#[derive(Debug)]
pub(super) struct Parameter(Option<String>);

impl From<Value> for Parameter {
    fn from(value: Value) -> Self {
        Self(match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        })
    }
}

impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let Some(text) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A row as the text of a JSON array.
pub(super) fn row(row: &Row) -> Result<String> {
    let values = (0..row.len()).map(|index| value(row, index)).collect::<Result<Vec<_>>>()?;
    Ok(format!("[{}]", values.join(",")))
}

/// A value as JSON text, so that numbers keep all of their digits.
fn value(row: &Row, index: usize) -> Result<String> {
    let column = row.columns().get(index).map(|column| (column.name(), column.type_()));
    let Some((name, kind)) = column else { return Ok(NULL.to_owned()) };
    let read = match *kind {
        Type::BOOL => get::<bool, _>(row, index, Value::from),
        Type::INT2 => get::<i16, _>(row, index, Value::from),
        Type::INT4 => get::<i32, _>(row, index, Value::from),
        Type::INT8 => get::<i64, _>(row, index, Value::from),
        Type::OID | Type::XID => get::<u32, _>(row, index, Value::from),
        Type::FLOAT4 => {
            get::<f32, _>(row, index, |number| number.to_string().parse::<Number>().map_or(Value::Null, Value::Number))
        }
        Type::FLOAT8 => get::<f64, _>(row, index, Value::from),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
            get::<String, _>(row, index, Value::from)
        }
        Type::JSON | Type::JSONB => get::<Value, _>(row, index, |json| json),
        Type::BYTEA => get::<Vec<u8>, _>(row, index, |bytes| Value::from(STANDARD.encode(bytes))),
        Type::UUID => get::<uuid::Uuid, _>(row, index, |uuid| Value::from(uuid.to_string())),
        Type::TIMESTAMPTZ => get::<jiff::Timestamp, _>(row, index, |at| Value::from(at.to_string())),
        Type::TIMESTAMP => get::<jiff::civil::DateTime, _>(row, index, |at| Value::from(format!("{at}Z"))),
        Type::DATE => get::<jiff::civil::Date, _>(row, index, |day| Value::from(format!("{day}T00:00:00Z"))),
        Type::NUMERIC => get::<Decimal, _>(row, index, |number| number.0),
        ref other => {
            let message = format!("column {name} is of type {other}, which has no JSON form here; cast it to text");
            return Err(Error::unsupported(message));
        }
    };
    read.map_err(|error| Error::other(format!("error reading result of column {name}")).with_source(error))
}

fn get<'a, T: FromSql<'a>, S: ToString>(
    row: &'a Row,
    index: usize,
    shown: impl FnOnce(T) -> S,
) -> std::result::Result<String, tokio_postgres::Error> {
    Ok(row.try_get::<_, Option<T>>(index)?.map_or_else(|| NULL.to_owned(), |value| shown(value).to_string()))
}

/// A `numeric` as JSON text.
struct Decimal(String);

impl<'a> FromSql<'a> for Decimal {
    /// Groups of four decimal digits: how many, the power of 10000 of the first, the sign, and digits after the point.
    fn from_sql(_: &Type, raw: &'a [u8]) -> std::result::Result<Self, Box<dyn StdError + Sync + Send>> {
        let mut words = raw.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]]));
        let mut next = || words.next().ok_or("a numeric that is cut off");
        let (_, weight, sign, scale) = (next()?, next()?, next()?, next()?);
        match u16::from_ne_bytes(sign.to_ne_bytes()) {
            0x0000 | 0x4000 => {}
            0xC000 => return Ok(Self("\"NaN\"".into())),
            0xD000 => return Ok(Self("\"infinity\"".into())),
            _ => return Ok(Self("\"-infinity\"".into())),
        }
        let groups: Vec<i16> = words.collect();
        let sign = if sign == 0 { "" } else { "-" };
        Ok(Self(format!("{sign}{}", digits(&groups, weight, usize::try_from(scale)?))))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::NUMERIC
    }
}

fn digits(groups: &[i16], weight: i16, scale: usize) -> String {
    let group = |power: i32| {
        let index = usize::try_from(i32::from(weight) - power).ok();
        index.and_then(|index| groups.get(index)).copied().unwrap_or_default()
    };
    let whole: String = (0..=i32::from(weight)).rev().map(|power| format!("{:04}", group(power))).collect();
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let after = i32::try_from(scale.div_ceil(4)).unwrap_or(i32::MAX);
    let mut part: String = (1..=after).map(|power| format!("{:04}", group(-power))).collect();
    part.truncate(scale);
    if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_numerics() {
        assert_eq!(digits(&[1, 2345], 1, 0), "12345");
        assert_eq!(digits(&[1, 2345, 6700], 1, 2), "12345.67");
        assert_eq!(digits(&[500], -1, 2), "0.05");
        assert_eq!(digits(&[5], -2, 8), "0.00000005");
        assert_eq!(digits(&[], 0, 0), "0");
        assert_eq!(digits(&[1], 2, 0), "100000000");
    }
}
