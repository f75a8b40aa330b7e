//! JSON into types as Go reads it: names in any case, null as nothing, numbers where texts are wanted.
use foundation_metadata::meant;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, Expected, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::fmt::{self, Display};

/// A value as a type. Names of struct fields are found in any case, exact ones first; null is as if it were not there;
/// numbers and booleans become texts where texts are wanted.
///
/// # Errors
/// A value of the wrong kind, with the path to it, such as `spec.metadata[2].name`. The value is not shown.
pub fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, DecodeError> {
    decode_and_look(value).map(|(decoded, _)| decoded)
}

/// The same, with the names in the value that no field has.
///
/// # Errors
/// As [`decode`].
pub(crate) fn decode_and_look<T: DeserializeOwned>(value: &Value) -> Result<(T, Vec<Stray>), DecodeError> {
    let strays = RefCell::default();
    let decoded = T::deserialize(Node { value, place: None, strays: &strays })?;
    Ok((decoded, strays.into_inner()))
}

/// A name that no field has, so that its value does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stray {
    /// Path to the name, such as `spec.trasing`.
    pub(crate) path: String,
    /// The struct that has no such field.
    pub(crate) of: &'static str,
    /// The field that was probably meant.
    pub(crate) meant: Option<&'static str>,
}

/// Where a value is not what it must be. Never shows the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Path to the value, such as `spec.metadata[2].name`; empty for the document itself.
    pub path: String,
    /// What is wrong there.
    pub reason: String,
}

impl DecodeError {
    fn below(mut self, step: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{step}{dot}{}", self.path);
        self
    }
}

impl Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "document {}", self.reason),
            path => write!(f, "{path} {}", self.reason),
        }
    }
}

impl std::error::Error for DecodeError {}

impl serde::de::Error for DecodeError {
    fn custom<T: Display>(message: T) -> Self {
        Self { path: String::new(), reason: message.to_string() }
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("must be {expected}"))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("must be {expected}"))
    }
}

/// A value within others.
#[derive(Clone, Copy)]
struct Node<'a> {
    value: &'a Value,
    place: Option<&'a Place<'a>>,
    strays: &'a RefCell<Vec<Stray>>,
}

/// Where a value is: one step further than another one.
struct Place<'a> {
    outer: Option<&'a Place<'a>>,
    step: &'a str,
}

impl Place<'_> {
    /// The path to a name here.
    fn path(place: Option<&Self>, name: &str) -> String {
        let Some(place) = place else { return name.to_owned() };
        let dot = if name.starts_with('[') { "" } else { "." };
        Self::path(place.outer, place.step) + dot + name
    }
}

impl<'a> Node<'a> {
    fn members(self) -> Result<&'a Map<String, Value>, DecodeError> {
        self.value.as_object().ok_or_else(|| DecodeError::custom("must be an object"))
    }

    /// Remembers the names that none of the fields has.
    fn look(self, of: &'static str, members: &Map<String, Value>, fields: &'static [&'static str]) {
        let is_stray = |name: &&String| !fields.iter().any(|field| field.eq_ignore_ascii_case(name));
        let stray = |name: &String| Stray {
            path: Place::path(self.place, name),
            of,
            meant: meant(name, fields.iter().copied()),
        };
        self.strays.borrow_mut().extend(members.keys().filter(is_stray).map(stray));
    }

    fn within<'b>(self, value: &'b Value, place: &'b Place<'b>) -> Node<'b>
    where
        'a: 'b,
    {
        Node { value, place: Some(place), strays: self.strays }
    }

    /// Text, also where YAML made a number or boolean of it.
    fn text(self) -> Result<String, DecodeError> {
        match self.value {
            Value::String(text) => Ok(text.clone()),
            Value::Bool(_) | Value::Number(_) => Ok(scalar(self.value)),
            Value::Null => Ok(String::new()),
            _ => Err(DecodeError::custom("must be a text")),
        }
    }
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = DecodeError;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let members = self.members()?;
        self.look(name, members, fields);
        let find = |field: &&'static str| Some((*field, member(members, field)?));
        let found: Vec<_> = fields.iter().filter_map(find).filter(|(_, value)| !value.is_null()).collect();
        visitor.visit_map(Members { all: self, rest: found.into_iter(), now: None })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let members = self.members()?.iter().map(|(name, value)| (name.as_str(), value)).collect::<Vec<_>>();
        visitor.visit_map(Members { all: self, rest: members.into_iter(), now: None })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::String(text) => visitor.visit_str(text),
            Value::Array(items) => visitor.visit_seq(Items { all: self, rest: items.iter(), index: 0 }),
            Value::Object(_) => self.deserialize_map(visitor),
            Value::Number(number) => number.deserialize_any(visitor).map_err(|error| DecodeError::custom(Wrong(error))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct
        enum identifier ignored_any
    }
}

/// A number or boolean as Go prints it: whole numbers have no fraction.
pub(crate) fn scalar(value: &Value) -> String {
    let text = value.to_string();
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// A number of the wrong kind, without the number.
struct Wrong(serde_json::Error);

impl Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let expected = text.rsplit_once("expected ").map_or("another kind of value", |(_, expected)| expected);
        write!(f, "must be {expected}")
    }
}

/// A member of any case; an exact name goes before others.
pub fn member<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let any_case = || members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    members.get(name).or_else(any_case)
}

struct Members<'a> {
    all: Node<'a>,
    rest: std::vec::IntoIter<(&'a str, &'a Value)>,
    now: Option<(&'a str, &'a Value)>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        self.now = self.rest.next();
        let Some((name, _)) = self.now else { return Ok(None) };
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        let (name, value) = self.now.ok_or_else(|| DecodeError::custom("has a value without a name"))?;
        let place = Place { outer: self.all.place, step: name };
        seed.deserialize(self.all.within(value, &place)).map_err(|error| error.below(name))
    }
}

struct Items<'a> {
    all: Node<'a>,
    rest: std::slice::Iter<'a, Value>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        let Some(value) = self.rest.next() else { return Ok(None) };
        let step = format!("[{}]", self.index);
        self.index += 1;
        let place = Place { outer: self.all.place, step: &step };
        seed.deserialize(self.all.within(value, &place)).map(Some).map_err(|error| error.below(&step))
    }
}
