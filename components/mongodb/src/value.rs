//! How values are kept: bytes and JSON texts as strings, other JSON as BSON (components.md 1.1).
use component_api::{Error, Result};
use mongodb::bson::{Bson, Document, RawBsonRef, RawDocument, spec::ElementType};
use serde_json::{Map, Number, Value as Json};

/// A value as a field has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stored {
    Bson(Bson),
    /// A string that is no UTF-8, which the library does not have, and Dapr's component writes and reads all the same.
    Bytes(Vec<u8>),
}

/// The field for a value of a request.
///
/// # Errors
/// JSON that is none.
pub(crate) fn stored(value: &component_api::state::Value) -> Result<Stored> {
    use component_api::state::Value::{Binary, Json};
    let json = match value {
        Binary(bytes) => return Ok(of_bytes(bytes)),
        Json(text) => serde_json::from_slice(text),
    };
    let json = json.map_err(|error| Error::invalid("the value is no JSON").with_source(error))?;
    Ok(Stored::Bson(match json {
        serde_json::Value::String(text) => Bson::String(quoted(text)),
        other => bson(other),
    }))
}

fn of_bytes(bytes: &[u8]) -> Stored {
    let text = std::str::from_utf8(bytes).map(str::to_owned);
    text.map_or_else(|_| Stored::Bytes(bytes.to_vec()), |text| Stored::Bson(Bson::String(text)))
}

/// A text in quotes, as Go prints one: of what could mean something in a web page, only line separators are escaped.
fn quoted(text: String) -> String {
    serde_json::Value::String(text).to_string().replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// JSON as BSON. Numbers are floats, as in Dapr's component, where a float can have them.
pub(crate) fn bson(json: Json) -> Bson {
    match json {
        Json::Null => Bson::Null,
        Json::Bool(truth) => Bson::Boolean(truth),
        Json::Number(number) => of_number(&number),
        Json::String(text) => Bson::String(text),
        Json::Array(items) => Bson::Array(items.into_iter().map(bson).collect()),
        Json::Object(members) => Bson::Document(members.into_iter().map(|(name, value)| (name, bson(value))).collect()),
    }
}

/// The bytes that a get returns for the field `value` of a document.
///
/// # Errors
/// A document that is none.
pub(crate) fn data(document: &RawDocument) -> Result<Vec<u8>> {
    let broken = |error| Error::other("the document cannot be read; something else wrote it").with_source(error);
    let mut offset = 4;
    for element in document.iter_elements() {
        let element = element.map_err(broken)?;
        // The type, the name and its end are before the value.
        let start = offset + 1 + element.key().as_str().len() + 1;
        offset = start + element.size();
        if element.key().as_str() != "value" {
            continue;
        }
        if element.element_type() == ElementType::String {
            // The length is before the bytes, and a zero after them.
            return Ok(document.as_bytes().get(start + 4..offset - 1).unwrap_or_default().to_vec());
        }
        let json = json(Bson::try_from(element.value().map_err(broken)?).map_err(broken)?);
        return Ok(foundation_json::write(&json).to_vec());
    }
    Err(Error::other("the document has no field 'value'; something else wrote it"))
}

/// A text of a document.
pub(crate) fn text(document: &RawDocument, name: &str) -> Option<String> {
    // A value that is no UTF-8 would end a search by name.
    let mut found = document.iter_elements().flatten().filter(|element| element.key().as_str() == name);
    match found.next()?.value() {
        Ok(RawBsonRef::String(text)) => Some(text.to_owned()),
        _ => None,
    }
}

/// A time of a document, in milliseconds since 1970.
pub(crate) fn time(document: &RawDocument, name: &str) -> Option<i64> {
    let mut found = document.iter_elements().flatten().filter(|element| element.key().as_str() == name);
    match found.next()?.value() {
        Ok(RawBsonRef::DateTime(time)) => Some(time.timestamp_millis()),
        _ => None,
    }
}

fn of_number(number: &Number) -> Bson {
    /// Whole numbers above this have gaps between them as floats.
    const EXACT: u64 = 1 << 53;
    match number.as_i64() {
        Some(whole) if whole.unsigned_abs() > EXACT => Bson::Int64(whole),
        _ => number.as_f64().map_or(Bson::Null, Bson::Double),
    }
}

fn json(bson: Bson) -> Json {
    match bson {
        Bson::Double(number) => Number::from_f64(number).map_or(Json::Null, Json::Number),
        Bson::Int32(number) => number.into(),
        Bson::Int64(number) => number.into(),
        Bson::String(text) | Bson::Symbol(text) => text.into(),
        Bson::Boolean(truth) => truth.into(),
        Bson::Null | Bson::Undefined => Json::Null,
        Bson::Array(items) => items.into_iter().map(json).collect(),
        Bson::Document(members) => Json::Object(members_of(members)),
        Bson::DateTime(time) => time.try_to_rfc3339_string().map_or(Json::Null, Json::String),
        // Neither sidecar writes others.
        other => other.to_string().into(),
    }
}

fn members_of(document: Document) -> Map<String, Json> {
    document.into_iter().map(|(name, value)| (name, json(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use component_api::state::Value;
    use mongodb::bson::{RawDocumentBuf, doc, oid::ObjectId};

    fn of_json(text: &str) -> Stored {
        stored(&Value::Json(text.to_owned().into())).unwrap()
    }

    fn read(value: Bson) -> String {
        let document = RawDocumentBuf::try_from(&doc! {"_id": "k", "value": value, "_etag": "e"}).unwrap();
        String::from_utf8(data(&document).unwrap()).unwrap()
    }

    #[test]
    fn fields_are_those_of_dapr() {
        assert_eq!(of_json("\"a\\n\""), Stored::Bson(Bson::String("\"a\\n\"".to_owned())));
        let plain = Stored::Bson(Bson::String(r#""<\u2028&""#.to_owned()));
        assert_eq!(of_json(r#""\u003c\u2028\u0026""#), plain);
        let nested = doc! {"a": [1.0, true, Bson::Null], "b": {"c": "d"}};
        assert_eq!(of_json(r#"{"b": {"c": "d"}, "a": [1, true, null]}"#), Stored::Bson(nested.into()));
        assert_eq!(of_json("9007199254740993"), Stored::Bson(Bson::Int64(9_007_199_254_740_993)));
        let bytes = |bytes: &[u8]| stored(&Value::Binary(bytes.to_vec().into())).unwrap();
        assert_eq!(bytes(br#"{"a":1}"#), Stored::Bson(Bson::String(r#"{"a":1}"#.to_owned())));
        assert_eq!(bytes(&[255, 0]), Stored::Bytes(vec![255, 0]));
        assert!(stored(&Value::Json("{".into())).is_err());
    }

    #[test]
    fn fields_are_read_as_go_writes_json() {
        assert_eq!(
            read(doc! {"b": 15.0, "a": "<", "c": [1_i32, 2_i64, 1.5]}.into()),
            r#"{"a":"\u003c","b":15,"c":[1,2,1.5]}"#
        );
        assert_eq!(read(Bson::String("\u{0}as it is".to_owned())), "\u{0}as it is");
        let time = mongodb::bson::DateTime::from_millis(0);
        assert_eq!(read(doc! {"t": time}.into()), r#"{"t":"1970-01-01T00:00:00Z"}"#);
        assert!(read(ObjectId::from_bytes([0; 12]).into()).contains("000000000000000000000000"));
        assert_eq!(read(f64::NAN.into()), "null");
    }

    #[test]
    fn strings_that_are_no_utf8_are_read() {
        let mut document = RawDocumentBuf::try_from(&doc! {"value": "ab", "_etag": "e"}).unwrap().into_bytes();
        let at = document.windows(2).position(|pair| pair == b"ab").unwrap();
        document[at] = 255;
        let document = RawDocumentBuf::from_bytes(document).unwrap();
        assert_eq!(data(&document).unwrap(), [255, b'b']);
        assert_eq!(text(&document, "_etag").as_deref(), Some("e"));
    }
}
