//! From binary to JSON.
use super::schema::{Field, Id, Schema, Shape};
use super::{DEEPEST, Json, wrong};
use component_api::{Error, Result};

/// Most bytes of JSON that a message may become.
const LARGEST: usize = 64 << 20;

impl Schema {
    /// The JSON of a value in binary form.
    ///
    /// # Errors
    /// It is no value of this schema.
    pub(crate) fn decode(&self, binary: &[u8], form: Json) -> Result<Vec<u8>> {
        let mut decoder = Decoder { schema: self, form, rest: binary, json: String::with_capacity(binary.len() * 2) };
        decoder.read(self.root(), 0)?;
        Ok(decoder.json.into_bytes())
    }
}

struct Decoder<'a> {
    schema: &'a Schema,
    form: Json,
    rest: &'a [u8],
    json: String,
}

impl<'a> Decoder<'a> {
    fn read(&mut self, id: Id, depth: usize) -> Result<()> {
        if depth > DEEPEST || self.json.len() > LARGEST {
            return Err(wrong("the value is too deep or too large"));
        }
        let schema = self.schema;
        match &schema.get(id).shape {
            Shape::Null => self.json.push_str("null"),
            Shape::Boolean => {
                let is_true = self.take(1)? != [0];
                self.json.push_str(if is_true { "true" } else { "false" });
            }
            Shape::Int | Shape::Long => {
                let number = self.long()?;
                self.json.push_str(&number.to_string());
            }
            Shape::Float => {
                let number = f32::from_le_bytes(self.array()?);
                self.number(number.into(), number.to_string());
            }
            Shape::Double => {
                let number = f64::from_le_bytes(self.array()?);
                self.number(number, number.to_string());
            }
            Shape::String => {
                let text = std::str::from_utf8(self.bytes()?).map_err(|_| wrong("a string is no UTF-8"))?;
                self.string(text)?;
            }
            Shape::Bytes => {
                let bytes = self.bytes()?;
                self.byte_string(bytes)?;
            }
            Shape::Fixed(size) => {
                let bytes = self.take(*size)?;
                self.byte_string(bytes)?;
            }
            Shape::Enum(symbols) => {
                let place = usize::try_from(self.long()?).ok();
                let symbol =
                    place.and_then(|place| symbols.get(place)).ok_or_else(|| wrong("an enum has no such symbol"))?;
                self.string(symbol)?;
            }
            Shape::Array(of) => self.items('[', ']', |decoder| decoder.read(*of, depth + 1))?,
            Shape::Map(of) => self.items('{', '}', |decoder| decoder.entry(*of, depth + 1))?,
            Shape::Record(fields) => self.record(fields, depth + 1)?,
            Shape::Union(kinds) => self.union(kinds, depth + 1)?,
        }
        Ok(())
    }

    fn entry(&mut self, of: Id, depth: usize) -> Result<()> {
        let name = std::str::from_utf8(self.bytes()?).map_err(|_| wrong("a name in a map is no UTF-8"))?;
        self.string(name)?;
        self.json.push(':');
        self.read(of, depth)
    }

    fn record(&mut self, fields: &[Field], depth: usize) -> Result<()> {
        self.json.push('{');
        for (place, field) in fields.iter().enumerate() {
            if place > 0 {
                self.json.push(',');
            }
            self.string(&field.name)?;
            self.json.push(':');
            self.read(field.of, depth)?;
        }
        self.json.push('}');
        Ok(())
    }

    fn union(&mut self, kinds: &[Id], depth: usize) -> Result<()> {
        let place = usize::try_from(self.long()?).ok();
        let id = *place.and_then(|place| kinds.get(place)).ok_or_else(|| wrong("a union has no such type"))?;
        let kind = self.schema.get(id);
        if self.form == Json::Plain || matches!(kind.shape, Shape::Null) {
            return self.read(id, depth);
        }
        self.json.push('{');
        self.string(&kind.name)?;
        self.json.push(':');
        self.read(id, depth)?;
        self.json.push('}');
        Ok(())
    }

    /// Blocks of items, up to an empty one. A block whose count is negative has its size in bytes before its items.
    fn items(&mut self, begin: char, end: char, mut read: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.json.push(begin);
        let mut is_first = true;
        loop {
            let count = self.long()?;
            if count == 0 {
                break;
            }
            if count < 0 {
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                if !std::mem::take(&mut is_first) {
                    self.json.push(',');
                }
                read(self)?;
            }
        }
        self.json.push(end);
        Ok(())
    }

    /// JSON has no numbers for what is none, or beyond all; `null` and 1e999 stand for them.
    fn number(&mut self, number: f64, text: String) {
        match number {
            number if number.is_nan() => self.json.push_str("null"),
            f64::INFINITY => self.json.push_str("1e999"),
            f64::NEG_INFINITY => self.json.push_str("-1e999"),
            _ => self.json.push_str(&text),
        }
    }

    fn string(&mut self, text: &str) -> Result<()> {
        let quoted = serde_json::to_string(text).map_err(|error| wrong("a string is no JSON").with_source(error))?;
        self.json.push_str(&quoted);
        Ok(())
    }

    /// Each byte is the letter of its number.
    fn byte_string(&mut self, bytes: &[u8]) -> Result<()> {
        self.string(&bytes.iter().map(|byte| char::from(*byte)).collect::<String>())
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let size = usize::try_from(self.long()?).map_err(|_| wrong("a size is negative"))?;
        self.take(size)
    }

    fn array<const SIZE: usize>(&mut self) -> Result<[u8; SIZE]> {
        self.take(SIZE)?.try_into().map_err(|_| short())
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(size).ok_or_else(short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn long(&mut self) -> Result<i64> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.take(1)?.first().copied().unwrap_or_default();
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
            if byte < 0x80 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err(wrong("a number is too long"))
    }
}

fn short() -> Error {
    wrong("the value ends too early")
}
