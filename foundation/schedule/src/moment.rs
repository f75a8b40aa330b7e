//! When something begins or ends: a point in time, or a duration from another one.
use foundation_metadata::duration;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use std::time::Duration;

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
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    if let Some(delay) = duration::parse(text) {
        return from.checked_add(delay).map_err(|_| NoMoment::Unknown);
    }
    let (repeats, period) = repetitions(text).ok_or(NoMoment::Unknown)?;
    if repeats > 0 {
        return Err(NoMoment::Repeats);
    }
    Period::parse(period).and_then(|period| period.after(from)).ok_or(NoMoment::Unknown)
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

/// A duration of ISO 8601.
#[derive(Default)]
struct Period {
    years: i64,
    months: i64,
    days: i64,
    time: Duration,
}

impl Period {
    /// Reads `P1Y2M3W4DT5H6M7S`; whole numbers only.
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('P').filter(|rest| !rest.is_empty())?;
        let (date, time) = rest.split_once('T').unwrap_or((rest, ""));
        let mut period = Self::default();
        for (number, unit) in parts(date)? {
            match unit {
                'Y' => period.years = number,
                'M' => period.months = number,
                'W' => period.days += number * 7,
                'D' => period.days += number,
                _ => return None,
            }
        }
        for (number, unit) in parts(time)? {
            let seconds = match unit {
                'H' => 3600,
                'M' => 60,
                'S' => 1,
                _ => return None,
            };
            period.time += Duration::from_secs(u64::try_from(number).ok()? * seconds);
        }
        Some(period)
    }

    fn after(&self, time: Timestamp) -> Option<Timestamp> {
        let date = Span::new().try_years(self.years).ok()?.try_months(self.months).ok()?.try_days(self.days).ok()?;
        let later = time.to_zoned(TimeZone::UTC).checked_add(date).ok()?;
        later.timestamp().checked_add(self.time).ok()
    }
}

/// Numbers with the letters that follow them.
fn parts(mut text: &str) -> Option<Vec<(i64, char)>> {
    let mut parts = Vec::new();
    while let Some(end) = text.find(|letter: char| !letter.is_ascii_digit()) {
        let unit = text[end..].chars().next()?;
        // Longer numbers lead beyond the calendar.
        let number: u32 = text[..end].parse().ok()?;
        parts.push((number.into(), unit));
        text = &text[end + unit.len_utf8()..];
    }
    text.is_empty().then_some(parts)
}
