//! Which statuses a retry policy tries again, written as in `429,500-599` (surface.md 6.3).
use std::ops::RangeInclusive;

const HTTP: RangeInclusive<i32> = 100..=599;
const GRPC: RangeInclusive<i32> = 0..=16;

type Ranges = Vec<RangeInclusive<i32>>;

/// Why a list of statuses cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidMatching {
    #[error("invalid pattern {0}, more than one '-' exists")]
    Dashes(String),
    #[error("invalid pattern {pattern}: \"{code}\" is not a number")]
    NoNumber { pattern: String, code: String },
    #[error("invalid pattern {pattern}: status {code} is not from {first} to {last}")]
    Outside { pattern: String, code: i32, first: i32, last: i32 },
    #[error("invalid pattern {0}, start value should not bigger than end value")]
    Backwards(String),
}

/// The statuses that are worth another try; without a list all are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Matching {
    http: Option<Ranges>,
    grpc: Option<Ranges>,
}

impl Matching {
    /// Reads lists of HTTP statuses (100 to 599) and gRPC codes (0 to 16), separated by commas. An empty text is no list.
    ///
    /// # Errors
    /// [`InvalidMatching`].
    pub(crate) fn parse(http: &str, grpc: &str) -> Result<Self, InvalidMatching> {
        Ok(Self { http: ranges(http, &HTTP)?, grpc: ranges(grpc, &GRPC)? })
    }

    /// Whether a failure with this status is worth another try. A status that neither protocol knows is not.
    pub(crate) fn wants(&self, code: i32) -> bool {
        let listed = |ranges: &Option<Ranges>| {
            ranges.as_ref().is_none_or(|ranges| ranges.iter().any(|range| range.contains(&code)))
        };
        (GRPC.contains(&code) && listed(&self.grpc)) || (HTTP.contains(&code) && listed(&self.http))
    }
}

fn ranges(text: &str, valid: &RangeInclusive<i32>) -> Result<Option<Ranges>, InvalidMatching> {
    if text.is_empty() {
        return Ok(None);
    }
    let patterns = text.split(',').filter(|pattern| !pattern.is_empty());
    patterns.map(|pattern| range(pattern, valid)).collect::<Result<_, _>>().map(Some)
}

fn range(pattern: &str, valid: &RangeInclusive<i32>) -> Result<RangeInclusive<i32>, InvalidMatching> {
    let (start, end) = pattern.split_once('-').unwrap_or((pattern, pattern));
    if end.contains('-') {
        return Err(InvalidMatching::Dashes(pattern.to_owned()));
    }
    let (start, end) = (code(start, pattern, valid)?, code(end, pattern, valid)?);
    if end < start {
        return Err(InvalidMatching::Backwards(pattern.to_owned()));
    }
    Ok(start..=end)
}

fn code(text: &str, pattern: &str, valid: &RangeInclusive<i32>) -> Result<i32, InvalidMatching> {
    let pattern = || pattern.to_owned();
    let code = text.parse().map_err(|_| InvalidMatching::NoNumber { pattern: pattern(), code: text.to_owned() })?;
    if valid.contains(&code) {
        return Ok(code);
    }
    Err(InvalidMatching::Outside { pattern: pattern(), code, first: *valid.start(), last: *valid.end() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_lists_all_statuses_are_wanted() {
        let matching = Matching::parse("", "").unwrap();
        assert!([0, 14, 16, 100, 404, 599].into_iter().all(|code| matching.wants(code)));
        assert!([-1, 17, 20, 99, 600].into_iter().all(|code| !matching.wants(code)));
    }

    #[test]
    fn lists_hold_codes_and_ranges() {
        let matching = Matching::parse("429,500-502,", "1,3-5").unwrap();
        let wanted = [429, 500, 501, 502, 1, 3, 4, 5];
        let unwanted = [428, 503, 200, 0, 2, 6];
        assert!(wanted.into_iter().all(|code| matching.wants(code)));
        assert!(unwanted.into_iter().all(|code| !matching.wants(code)));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for (http, grpc) in
            [("11", ""), ("", "400"), ("500-", ""), ("a", ""), ("500-400", ""), ("1-2-3", ""), (" 500", "")]
        {
            assert!(Matching::parse(http, grpc).is_err(), "{http} {grpc}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(http in "[0-9,\\- ]{0,20}", grpc in "\\PC{0,10}", code in any::<i32>()) {
            if let Ok(matching) = Matching::parse(&http, &grpc) {
                matching.wants(code);
            }
        }
    }
}
