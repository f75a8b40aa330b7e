//! When something begins or ends: a point in time, or a duration from another one.
use crate::Period;
use foundation_metadata::duration;
use jiff::civil::date;
use jiff::fmt::temporal::Pieces;
use jiff::{SignedDuration, Timestamp};

/// Why a text is no point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMoment {
    #[error("due time format not recognized")]
    Unknown,
    #[error("repeats not supported for due time")]
    Repeats,
}

/// Reads RFC 3339, or a duration as Go or ISO 8601 writes it, which counts from `from`. Years, months and days are those of
/// the calendar, in UTC.
///
/// # Errors
/// [`NoMoment`]
pub fn point_in_time(text: &str, from: Timestamp) -> Result<Timestamp, NoMoment> {
    if let Some(time) = timestamp(text) {
        return Ok(time);
    }
    if let Some(delay) = delay(text) {
        return from.checked_add(delay).map_err(|_| NoMoment::Unknown);
    }
    let (repeats, period) = repetitions(text).ok_or(NoMoment::Unknown)?;
    if repeats > 0 {
        return Err(NoMoment::Repeats);
    }
    Period::parse(period).and_then(|period| period.after(from)).ok_or(NoMoment::Unknown)
}

/// Reads RFC 3339.
pub fn timestamp(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| end_of_time(text))
}

/// The last two days of the year 9999 are beyond what the library counts. .NET writes the last second of it for never.
fn end_of_time(text: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(text).ok()?;
    pieces.time()?;
    pieces.offset()?;
    (pieces.date() >= date(9999, 12, 30)).then_some(Timestamp::MAX)
}

/// A duration as Go writes it. A negative one leads to the past.
fn delay(text: &str) -> Option<SignedDuration> {
    let (is_negative, length) = text.strip_prefix('-').map_or((false, text), |length| (true, length));
    if is_negative && length.starts_with(['-', '+']) {
        return None;
    }
    let length = SignedDuration::try_from(duration::parse(length)?).ok()?;
    Some(if is_negative { -length } else { length })
}

/// What `R3/` in front says, and what follows.
fn repetitions(text: &str) -> Option<(u32, &str)> {
    match text.strip_prefix('R') {
        None => Some((0, text)),
        Some(rest) => {
            let (count, period) = rest.split_once('/')?;
            Some((count.parse().ok()?, period))
        }
    }
}
