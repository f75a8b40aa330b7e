//! From JSON to binary.
use super::schema::{Field, Id, Schema, Shape};
use super::{Json, wrong};
use component_api::Result;
use serde_json::{Map, Value};

impl Schema {
    /// The binary form of a value that is written as JSON.
    ///
    /// # Errors
    /// It is no JSON, or no value of this schema.
    pub(crate) fn encode(&self, json: &[u8], form: Json) -> Result<Vec<u8>> {
        let value: Value =
            serde_json::from_slice(json).map_err(|error| wrong("the value is no JSON").with_source(error))?;
        let mut binary = Vec::with_capacity(json.len());
        Encoder { schema: self, form }.write(self.root(), &value, &mut binary)?;
        Ok(binary)
    }
}

struct Encoder<'a> {
    schema: &'a Schema,
    form: Json,
}

impl Encoder<'_> {
    fn write(&self, id: Id, value: &Value, to: &mut Vec<u8>) -> Result<()> {
        let kind = self.schema.get(id);
        match (&kind.shape, value) {
            (Shape::Null, Value::Null) => {}
            (Shape::Boolean, Value::Bool(value)) => to.push(u8::from(*value)),
            (Shape::Int, value) if as_int(value).is_some() => write_long(as_int(value).unwrap_or_default(), to),
            (Shape::Long, value) if value.is_i64() => write_long(value.as_i64().unwrap_or_default(), to),
            (Shape::Float, value) if as_float(value).is_some() => {
                #[allow(clippy::cast_possible_truncation)] // A float is less exact than what JSON has.
                to.extend((as_float(value).unwrap_or_default() as f32).to_le_bytes());
            }
            (Shape::Double, value) if as_float(value).is_some() => {
                to.extend(as_float(value).unwrap_or_default().to_le_bytes());
            }
            (Shape::String, Value::String(text)) => write_bytes(text.as_bytes(), to),
            (Shape::Bytes, Value::String(text)) => write_bytes(&bytes(text), to),
            (Shape::Fixed(size), Value::String(text)) if bytes(text).len() == *size => to.extend(bytes(text)),
            (Shape::Enum(symbols), Value::String(text)) if symbols.contains(text) => {
                write_count(symbols.iter().position(|symbol| symbol == text).unwrap_or_default(), to);
            }
            (Shape::Array(of), Value::Array(items)) => self.write_array(*of, items, to)?,
            (Shape::Map(of), Value::Object(entries)) => self.write_map(*of, entries, to)?,
            (Shape::Record(fields), Value::Object(entries)) => self.write_record(&kind.name, fields, entries, to)?,
            (Shape::Union(kinds), value) => self.write_union(kinds, value, to)?,
            _ => return Err(wrong(format!("the value is not of the type {}", kind.name))),
        }
        Ok(())
    }

    fn write_array(&self, of: Id, items: &[Value], to: &mut Vec<u8>) -> Result<()> {
        if !items.is_empty() {
            write_count(items.len(), to);
            items.iter().try_for_each(|item| self.write(of, item, to))?;
        }
        write_count(0, to);
        Ok(())
    }

    fn write_map(&self, of: Id, entries: &Map<String, Value>, to: &mut Vec<u8>) -> Result<()> {
        if !entries.is_empty() {
            write_count(entries.len(), to);
            for (name, value) in entries {
                write_bytes(name.as_bytes(), to);
                self.write(of, value, to)?;
            }
        }
        write_count(0, to);
        Ok(())
    }

    fn write_record(&self, name: &str, fields: &[Field], given: &Map<String, Value>, to: &mut Vec<u8>) -> Result<()> {
        let is_known = |given: &&String| fields.iter().any(|field| field.name == **given);
        if let Some(unknown) = given.keys().find(|given| !is_known(given)) {
            return Err(wrong(format!("record {name} has no field '{unknown}'")));
        }
        for field in fields {
            let at_field = |error| wrong(format!("field '{}' of record {name}", field.name)).with_source(error);
            match (given.get(&field.name), &field.default) {
                (Some(value), _) => self.write(field.of, value, to).map_err(at_field)?,
                (None, Some(default)) => self.write_default(field.of, default, to).map_err(at_field)?,
                (None, None) => return Err(wrong(format!("record {name} lacks its field '{}'", field.name))),
            }
        }
        Ok(())
    }

    /// What is missing in a union is a value of its first kind.
    fn write_default(&self, id: Id, default: &Value, to: &mut Vec<u8>) -> Result<()> {
        let Shape::Union(kinds) = &self.schema.get(id).shape else { return self.write(id, default, to) };
        let Some(first) = kinds.first() else { return Err(wrong("a union of the schema has no types")) };
        write_count(0, to);
        self.write(*first, default, to)
    }

    fn write_union(&self, kinds: &[Id], value: &Value, to: &mut Vec<u8>) -> Result<()> {
        let named = |name: &str| kinds.iter().position(|kind| self.schema.get(*kind).name == name);
        match (self.form, value) {
            (_, Value::Null) if let Some(place) = named("null") => {
                write_count(place, to);
                Ok(())
            }
            (Json::Plain, value) => self.write_fitting(kinds, value, to),
            (Json::Tagged, Value::Object(tagged)) if tagged.len() == 1 => {
                for (name, value) in tagged {
                    let place = named(name).ok_or_else(|| wrong(format!("a union has no type '{name}'")))?;
                    write_count(place, to);
                    self.write(kinds[place], value, to)?;
                }
                Ok(())
            }
            (Json::Tagged, _) => Err(wrong("a value of a union has the form {\"type\": value}")),
        }
    }

    /// Numbers and objects are tried with the kinds by their names, as Dapr's component does it.
    fn write_fitting(&self, kinds: &[Id], value: &Value, to: &mut Vec<u8>) -> Result<()> {
        let mut places: Vec<usize> = (0..kinds.len()).collect();
        if value.is_number() || value.is_object() {
            places.sort_by_key(|place| &self.schema.get(kinds[*place]).name);
        }
        let start = to.len();
        for place in places.into_iter().filter(|place| !matches!(self.schema.get(kinds[*place]).shape, Shape::Null)) {
            write_count(place, to);
            if self.write(kinds[place], value, to).is_ok() {
                return Ok(());
            }
            to.truncate(start);
        }
        Err(wrong("the value is of none of the types of a union"))
    }
}

fn as_int(value: &Value) -> Option<i64> {
    value.as_i64().filter(|value| i32::try_from(*value).is_ok())
}

/// What is no number is `null`.
fn as_float(value: &Value) -> Option<f64> {
    if value.is_null() { Some(f64::NAN) } else { value.as_f64() }
}

/// Each letter up to U+00FF is one byte.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match u8::try_from(letter) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

fn write_bytes(bytes: &[u8], to: &mut Vec<u8>) {
    write_count(bytes.len(), to);
    to.extend(bytes);
}

fn write_count(count: usize, to: &mut Vec<u8>) {
    write_long(i64::try_from(count).unwrap_or(i64::MAX), to);
}

/// Zigzag, seven bits a byte.
fn write_long(value: i64, to: &mut Vec<u8>) {
    let mut rest = (value << 1 ^ value >> 63).cast_unsigned();
    while rest >= 0x80 {
        to.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}
