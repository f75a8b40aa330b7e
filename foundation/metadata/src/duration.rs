//! Durations as Go writes them: the one parser and the one printer of the workspace.
use schemars::JsonSchema;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

const SECOND: u128 = 1_000_000_000;
/// Go counts nanoseconds in 64 bits with a sign.
const MOST: u128 = i64::MAX as u128;

/// A duration such as `1m30s`; a negative one is none at all. Nothing when the text is no duration.
pub fn parse(text: &str) -> Option<Duration> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = (!unsigned.is_empty()).then_some(unsigned)?;
    let mut total = 0;
    while !rest.is_empty() {
        let (nanoseconds, after) = leading(rest)?;
        total += nanoseconds;
        rest = after;
        if total > MOST {
            return None;
        }
    }
    Some(if text.starts_with('-') { Duration::ZERO } else { of_nanoseconds(total) })
}

/// A duration such as `1m30s`, or a whole number of seconds.
pub fn parse_or_seconds(text: &str) -> Option<Duration> {
    parse_or(text, Duration::from_secs(1))
}

/// A duration such as `1m30s`, or a whole number of milliseconds.
pub fn parse_or_milliseconds(text: &str) -> Option<Duration> {
    parse_or(text, Duration::from_millis(1))
}

/// A duration as Go prints it, such as `3m0s`, `2s` or `700ms`.
pub fn format(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    match nanoseconds {
        0 => return "0s".to_owned(),
        1..1_000 => return format!("{nanoseconds}ns"),
        1_000..1_000_000 => return format!("{}µs", decimal(nanoseconds, 1_000)),
        1_000_000..SECOND => return format!("{}ms", decimal(nanoseconds, 1_000_000)),
        _ => {}
    }
    let minutes = nanoseconds / (60 * SECOND);
    let seconds = decimal(nanoseconds % (60 * SECOND), SECOND);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// A duration in metadata or a resource: `1m30s`, a text of digits (seconds), or a JSON number (nanoseconds, as Go's
/// own decoder reads it).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String", inline)]
pub struct GoDuration(pub Duration);

/// For fields whose bare numbers are milliseconds: `#[serde(deserialize_with = "duration::or_milliseconds")]`.
///
/// # Errors
/// A text that is no duration.
pub fn or_milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<GoDuration, D::Error> {
    deserializer.deserialize_any(Text(Duration::from_millis(1)))
}

impl From<Duration> for GoDuration {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format(self.0))
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text(Duration::from_secs(1)))
    }
}

/// Reads a duration; holds the unit of bare numbers.
struct Text(Duration);

impl Visitor<'_> for Text {
    type Value = GoDuration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as 30s")
    }

    fn visit_u64<E: Error>(self, nanoseconds: u64) -> Result<GoDuration, E> {
        Ok(GoDuration(Duration::from_nanos(nanoseconds)))
    }

    fn visit_i64<E: Error>(self, nanoseconds: i64) -> Result<GoDuration, E> {
        Ok(GoDuration(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default())))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<GoDuration, E> {
        parse_or(text, self.0).map(GoDuration).ok_or_else(|| E::custom("must be a duration such as 30s"))
    }
}

fn parse_or(text: &str, unit: Duration) -> Option<Duration> {
    parse(text).or_else(|| {
        let count = text.parse::<i64>().ok()?;
        unit.checked_mul(u32::try_from(count.max(0)).ok()?)
    })
}

/// The number and unit that a text starts with, in nanoseconds, and what follows.
fn leading(text: &str) -> Option<(u128, &str)> {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, after) = text.split_at(number_end);
    let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
    let (unit, after) = after.split_at(unit_end);
    Some((nanoseconds(number, unit_of(unit)?)?, after))
}

fn nanoseconds(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()?.into() };
    // Eighteen digits are more than Go's own precision, and cannot overflow.
    let digits = &fraction[..fraction.len().min(18)];
    let fraction: u128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    Some(whole * unit + fraction * unit / 10_u128.pow(u32::try_from(digits.len()).ok()?))
}

fn unit_of(name: &str) -> Option<u128> {
    match name {
        "ns" => Some(1),
        "us" | "µs" | "μs" => Some(1_000),
        "ms" => Some(1_000_000),
        "s" => Some(SECOND),
        "m" => Some(60 * SECOND),
        "h" => Some(3600 * SECOND),
        _ => None,
    }
}

fn of_nanoseconds(nanoseconds: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

fn decimal(value: u128, unit: u128) -> String {
    let (whole, part) = (value / unit, value % unit);
    if part == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    format!("{whole}.{}", format!("{part:0width$}").trim_end_matches('0'))
}
