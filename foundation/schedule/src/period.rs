//! Durations of ISO 8601, whose years, months and days are those of the calendar.
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use std::time::Duration;

/// A duration of ISO 8601.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    years: i32,
    months: i32,
    days: i32,
    time: Duration,
}

impl Period {
    /// Reads `P1Y2M3W4DT5H6M7S`; whole numbers only.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('P').filter(|rest| !rest.is_empty())?;
        let (date, time) = rest.split_once('T').unwrap_or((rest, ""));
        let mut period = Self::default();
        for (number, unit) in parts(date)? {
            let number = i32::try_from(number).ok()?;
            match unit {
                'Y' => period.years = number,
                'M' => period.months = number,
                'W' => period.days = period.days.checked_add(number.checked_mul(7)?)?,
                'D' => period.days = period.days.checked_add(number)?,
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
            period.time = period.time.checked_add(Duration::from_secs(u64::from(number) * seconds))?;
        }
        Some(period)
    }

    /// The time after the given one, in UTC; none beyond the end of the calendar.
    pub fn after(&self, time: Timestamp) -> Option<Timestamp> {
        let date = Span::new().try_years(self.years).ok()?.try_months(self.months).ok()?.try_days(self.days).ok()?;
        let later = time.to_zoned(TimeZone::UTC).checked_add(date).ok()?;
        later.timestamp().checked_add(self.time).ok()
    }

    /// Its length, unless that depends on the calendar.
    pub fn fixed(&self) -> Option<Duration> {
        let in_days = (self.years, self.months, self.days) != (0, 0, 0);
        (!in_days).then_some(self.time)
    }

    /// Whether it has no length.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

impl From<Duration> for Period {
    fn from(time: Duration) -> Self {
        Self { time, ..Self::default() }
    }
}

/// Numbers with the letters that follow them.
fn parts(mut text: &str) -> Option<Vec<(u32, char)>> {
    let mut parts = Vec::new();
    while let Some(end) = text.find(|letter: char| !letter.is_ascii_digit()) {
        let unit = text[end..].chars().next()?;
        // Longer numbers lead beyond the calendar.
        parts.push((text[..end].parse().ok()?, unit));
        text = &text[end + unit.len_utf8()..];
    }
    text.is_empty().then_some(parts)
}
