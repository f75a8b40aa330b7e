//! `ttlInSeconds` of a state request.
use crate::{Error, Metadata, Result, metadata_value};

/// Seconds that an entry shall live, from its request's metadata; `None` is for ever (nothing given, -1 or 0).
///
/// # Errors
/// [`crate::Kind::Invalid`] when the value is no whole number from -1 to 2147483647.
pub fn time_to_live(metadata: &Metadata) -> Result<Option<u32>> {
    let Some(text) = metadata_value(metadata, "ttlInSeconds").filter(|text| !text.is_empty()) else { return Ok(None) };
    let seconds: i64 = text.parse().map_err(|_| refusal(&format!("'{text}' is no whole number")))?;
    if seconds < -1 || seconds > i64::from(i32::MAX) {
        return Err(refusal("must be -1 or greater"));
    }
    Ok(u32::try_from(seconds).ok().filter(|seconds| *seconds > 0))
}

fn refusal(reason: &str) -> Error {
    Error::invalid(format!("error parsing TTL: incorrect value for metadata 'ttlInSeconds': {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Option<u32>> {
        time_to_live(&Metadata::from([("ttlInSeconds".to_owned(), text.to_owned())])).ok()
    }

    #[test]
    fn seconds_or_for_ever_or_an_error() {
        assert_eq!(
            [parse("2"), parse("-1"), parse("0"), parse("")],
            [Some(Some(2)), Some(None), Some(None), Some(None)]
        );
        assert_eq!([parse("-2"), parse("foo"), parse("1.5"), parse("2147483648")], [None; 4]);
    }
}
