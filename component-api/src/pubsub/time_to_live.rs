//! How long a message is worth delivering (protocols.md 7.1).
use crate::{Metadata, metadata_value};
use std::time::Duration;

/// The time to live of a published message from `ttl` or `ttlInSeconds`: a Go duration such as `90s`, or a whole
/// number of seconds above zero. A negative duration is none at all; anything else is ignored.
pub fn time_to_live(metadata: &Metadata) -> Option<Duration> {
    let names = ["ttl", "ttlInSeconds"];
    let text = names.iter().find_map(|name| metadata_value(metadata, name)).filter(|text| !text.is_empty())?;
    go_duration(text).or_else(|| seconds(text))
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.parse::<i64>().ok().filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds.unsigned_abs()))
}

/// A duration as Go writes it, such as `1m30s`; a negative one is none at all.
pub fn go_duration(text: &str) -> Option<Duration> {
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let amount = number.parse::<f64>().ok()? * unit_seconds(unit)?;
        total = total.checked_add(Duration::try_from_secs_f64(amount).ok()?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(if negative { Duration::ZERO } else { total })
}

fn unit_seconds(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1e-9),
        "us" | "µs" | "μs" => Some(1e-6),
        "ms" => Some(1e-3),
        "s" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_seconds() {
        let of = |name: &str, text: &str| time_to_live(&Metadata::from([(name.to_owned(), text.to_owned())]));
        assert_eq!(of("ttlInSeconds", "5"), Some(Duration::from_secs(5)));
        assert_eq!(of("TTL", "1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(of("ttlinseconds", "0"), Some(Duration::ZERO));
        assert_eq!(of("ttl", "-5s"), Some(Duration::ZERO));
        for ignored in ["", "-5", "soon", "5 s", "s", "1.2.3s", "99999999999999999999"] {
            assert_eq!(of("ttl", ignored), None, "{ignored}");
        }
        assert_eq!(of("other", "5"), None);
    }
}
