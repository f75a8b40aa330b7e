//! YAML as JSON that is hardly larger than its text, whatever its aliases repeat.
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::budget::BudgetBreach::{RecordedAnchorBytes, RecordedAnchorEvents};
use serde_saphyr::{DuplicateKeyPolicy, Error as Breach, Options, with_deserializer_from_str_with_options};
use std::cell::Cell;
use std::fmt;

/// Parts that aliases may repeat, and that are kept to be repeated. A part takes some hundred bytes for a moment.
const MOST_REPEATED: usize = 20_000;
/// What a value may have on top of its text, of which no part gets larger than this many times.
const SLACK: usize = 1 << 20;
const GROWTH: usize = 4;
const TOO_MUCH: &str = "aliases repeat too much of it";
/// What the parser says of a name that is null.
const NULL_NAME: &str = "cannot deserialize null into string";

/// A document as Go reads it: `yes` is true, `0777` octal, the last one of two equal names counts.
///
/// # Errors
/// A text that is no YAML, or in which aliases repeat too much.
pub(crate) fn read(text: &str) -> Result<Value, serde_saphyr::Error> {
    let left = Cell::new(text.len().saturating_mul(GROWTH).saturating_add(SLACK));
    with_deserializer_from_str_with_options(text, options(), |document| Bounded(&left).deserialize(document))
}

/// What is wrong, in words for the person who wrote the text.
pub(crate) fn reason(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    match error {
        Breach::AliasError { error, .. } => reason(error),
        Breach::AliasReplayLimitExceeded { .. }
        | Breach::Budget { breach: RecordedAnchorEvents { .. } | RecordedAnchorBytes { .. }, .. } => {
            TOO_MUCH.to_owned()
        }
        _ if text.starts_with(NULL_NAME) => "a field has no name before its colon".to_owned(),
        _ => text.split(" at line ").next().unwrap_or_default().to_owned(),
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        with_snippet: false,
        legacy_octal_numbers: true,
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        budget: serde_saphyr::budget! { max_recorded_anchor_events: MOST_REPEATED, max_recorded_anchor_bytes: SLACK },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_REPEATED },
    }
}

/// A value that takes no more than what is left.
#[derive(Clone, Copy)]
struct Bounded<'a>(&'a Cell<usize>);

impl Bounded<'_> {
    fn take<E: Error>(self, text: &str) -> Result<(), E> {
        let left = self.0.get().checked_sub(text.len() + 1);
        left.map(|left| self.0.set(left)).ok_or_else(|| E::custom(TOO_MUCH))
    }

    fn scalar<E: Error>(self, value: impl Into<Value>) -> Result<Value, E> {
        self.take("").map(|()| value.into())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.scalar(())
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.scalar(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Value, E> {
        self.scalar(Number::from_i128(value).ok_or_else(|| E::custom("the number is out of range"))?)
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Value, E> {
        self.scalar(Number::from_u128(value).ok_or_else(|| E::custom("the number is out of range"))?)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.take(text).map(|()| text.into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        self.take(&text).map(|()| text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self)? {
            values.push(value);
        }
        self.scalar(values)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            self.take(&name)?;
            values.insert(name, members.next_value_seed(self)?);
        }
        self.scalar(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each list has ten times what the one before it has.
    fn bomb(depth: usize) -> String {
        let level = |level: usize| {
            let repeated = vec![format!("*a{level}"); 10].join(",");
            format!("a{next}: &a{next} [{repeated}]\n", next = level + 1)
        };
        std::iter::once("a0: &a0 x\n".to_owned()).chain((0..depth).map(level)).collect()
    }

    #[test]
    fn aliases_that_repeat_too_much_are_refused() {
        assert_eq!(read(&bomb(3)).unwrap()["a3"].as_array().map(Vec::len), Some(10));
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 1000].join(","));
        let many = format!("a: &a x\nb: [{}]\n", vec!["*a"; MOST_REPEATED + 1].join(","));
        for text in [bomb(9), long, many] {
            assert_eq!(reason(&read(&text).unwrap_err()), TOO_MUCH);
        }
    }

    #[test]
    fn a_text_without_aliases_is_never_too_large() {
        let values = read(&format!("[{}1]", "1,".repeat(200_000))).unwrap();
        assert_eq!(values.as_array().map(Vec::len), Some(200_001));
    }

    proptest! {
        #[test]
        fn it_reads_what_the_library_reads(text in "([a-c0-9~.'\"]|: |, |- |\n|\\[|\\{|\\}|\\]|&a |\\*a|<<|yes|null|0x1){0,24}") {
            let theirs = serde_saphyr::from_str_with_options::<Value>(&text, options());
            prop_assert_eq!(read(&text).ok(), theirs.ok(), "{}", text);
        }
    }
}
