//! How long a message is worth delivering (protocols.md 7.1).
use crate::{Metadata, metadata_value};
use foundation_metadata::duration;
use std::time::Duration;

/// The time to live of a published message from `ttl` or `ttlInSeconds`: a Go duration such as `90s`, or a whole
/// number of seconds above zero. A negative duration is none at all; anything else is ignored.
pub fn time_to_live(metadata: &Metadata) -> Option<Duration> {
    let names = ["ttl", "ttlInSeconds"];
    let text = names.iter().find_map(|name| metadata_value(metadata, name)).filter(|text| !text.is_empty())?;
    duration::parse(text).or_else(|| seconds(text))
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.parse::<i64>().ok().filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds.unsigned_abs()))
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
