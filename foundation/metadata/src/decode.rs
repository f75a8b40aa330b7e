//! The serde deserializer over name/value pairs.
use crate::{Error, Properties};
use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::cell::Cell;
use std::fmt::Display;
use std::str::FromStr;

/// The pairs as a struct; of several names of a field its own one is taken.
pub(crate) fn decode<T: DeserializeOwned>(properties: &Properties) -> Result<T, Error> {
    let (mut first, mut ignored) = (Vec::new(), Vec::new());
    loop {
        let last = Cell::new("");
        let pairs = Pairs { properties, first: &first, ignored: &ignored, last: &last };
        match T::deserialize(pairs) {
            // Serde tells the field's own name; the pair that came second is one of its other names, or that one.
            Err(Error::Twice(field)) if last.get() != field && !ignored.contains(&last.get()) => {
                ignored.push(last.get())
            }
            Err(Error::Twice(field)) if !first.contains(&field) => first.push(field),
            result => return result,
        }
    }
}

/// Whether a text is one of the words that Dapr takes for yes; everything else means no.
pub fn is_truthy(text: &str) -> bool {
    matches!(text.trim().to_ascii_lowercase().as_str(), "y" | "yes" | "true" | "t" | "on" | "1")
}

/// All pairs, as a struct or a map.
struct Pairs<'a> {
    properties: &'a Properties,
    /// Fields whose own names are offered before all others.
    first: &'a [String],
    /// Names that have lost against another name of their field.
    ignored: &'a [&'static str],
    /// The name of the pair that was offered last.
    last: &'a Cell<&'static str>,
}

impl<'de> Deserializer<'de> for Pairs<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let filled = |name: &str| self.properties.get(name).filter(|value| !value.trim().is_empty());
        let named = |name: &&'static str| Some((*name, filled(name)?));
        let wanted = fields.iter().filter(|name| !self.ignored.contains(name));
        let mut pairs: Vec<_> = wanted.filter_map(named).collect();
        pairs.sort_by_key(|(name, _)| !self.first.iter().any(|first| first == name));
        visitor.visit_map(Fields { pairs: pairs.into_iter(), value: "", last: self.last })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(MapDeserializer::new(self.properties.iter().map(|(name, value)| (name, Text(value)))))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The pairs that a struct has fields for.
struct Fields<'a> {
    pairs: std::vec::IntoIter<(&'static str, &'a str)>,
    value: &'a str,
    last: &'a Cell<&'static str>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((name, value)) = self.pairs.next() else { return Ok(None) };
        self.value = value;
        self.last.set(name);
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Text(self.value)).map_err(|error| error.of_field(self.last.get()))
    }
}

/// One value.
#[derive(Clone, Copy)]
struct Text<'a>(&'a str);

impl Text<'_> {
    fn number<T: FromStr>(self, expected: &dyn Display) -> Result<T, Error> {
        self.0.trim().parse().map_err(|_| Error::Other(format!("must be {expected}")))
    }
}

macro_rules! numbers {
    ($($name:ident $visit:ident $kind:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.number(&format_args!("a whole number from {} to {}", $kind::MIN, $kind::MAX))?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = Error;

    numbers! {
        deserialize_i8 visit_i8 i8
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.0)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f32(self.number(&"a number")?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(self.number(&"a number")?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(is_truthy(self.0))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let parts = self.0.split(',').map(str::trim).filter(|part| !part.is_empty());
        visitor.visit_seq(SeqDeserializer::new(parts.map(Text)))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let text = self.0.trim();
        let variant = variants.iter().find(|variant| variant.eq_ignore_ascii_case(text)).copied().unwrap_or(text);
        visitor.visit_enum(StrDeserializer::<Error>::new(variant))
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Text<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
