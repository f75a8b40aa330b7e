//! Sizes as Kubernetes writes quantities.
use schemars::JsonSchema;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// A size in bytes, written as a Kubernetes quantity such as `4Mi`, `1k` or `512`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String", inline)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// The size of a quantity; none when it is not one, negative, or no whole number of bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let bytes = number.parse::<f64>().ok()? * factor(unit)?;
        let whole = bytes.is_finite() && bytes.fract() == 0.0 && bytes < 9e15;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Checked: whole, positive and below 2^53.
        whole.then_some(Self(bytes as u64))
    }
}

fn factor(unit: &str) -> Option<f64> {
    let factor = match unit {
        "" => 1.0,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        _ => return None,
    };
    Some(factor)
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = ByteSize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size in bytes such as 4Mi or 512")
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<ByteSize, E> {
        Ok(ByteSize(bytes))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ByteSize, E> {
        ByteSize::parse(text).ok_or_else(|| E::custom("must be a size in bytes such as 4Mi or 512"))
    }
}
