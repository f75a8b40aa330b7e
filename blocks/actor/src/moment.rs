//! Times and durations of timers and reminders: Go's durations, ISO 8601 with repetitions, RFC 3339 (protocols.md 2.7).
use foundation_metadata::duration;
use foundation_schedule::timestamp;
use jiff::Timestamp;
use std::time::Duration;

/// Times that are looked at for the last one: days of some years.
const MOST_MISSED: usize = 5_000;

/// How often and how long after each other something happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Period {
    pause: foundation_schedule::Period,
    /// None is without end.
    repeats: Option<u32>,
}

impl Period {
    /// Reads a period; an empty one is none.
    ///
    /// # Errors
    /// A text that is neither form, and no repetitions at all.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let simple = || duration::parse(text).map(|time| Self { pause: time.into(), repeats: None });
        let period = iso_8601(text).or_else(simple);
        match period.ok_or_else(|| format!("parse error: unsupported duration format: {text}"))? {
            Self { repeats: Some(0), .. } => Err("has zero repetitions".to_owned()),
            period => Ok(period),
        }
    }

    /// One time less. Returns whether it shall happen again.
    pub(crate) fn count(&mut self) -> bool {
        self.repeats = self.repeats.map(|repeats| repeats.saturating_sub(1));
        self.repeats != Some(0) && !self.pause.is_zero()
    }

    /// Whether nothing follows.
    pub(crate) fn is_zero(&self) -> bool {
        self.pause.is_zero()
    }

    /// The last of the times that follow each other from the given one, as long as it is not after `now`.
    pub(crate) fn latest(&self, time: Timestamp, now: Timestamp) -> Timestamp {
        if self.is_zero() || now <= time {
            return time;
        }
        let Some(pause) = self.pause.fixed() else { return self.latest_by_calendar(time, now) };
        let late = now.duration_since(time).unsigned_abs();
        let into_period = late.as_nanos() % pause.as_nanos().max(1);
        let into_period = u64::try_from(into_period).unwrap_or_default();
        now.checked_sub(Duration::from_nanos(into_period)).unwrap_or(time)
    }

    /// Days, months and years are not alike, so that they are walked through; who has missed very many of them begins anew.
    fn latest_by_calendar(&self, mut time: Timestamp, now: Timestamp) -> Timestamp {
        for _ in 0..MOST_MISSED {
            match self.pause.after(time).filter(|next| *next <= now) {
                Some(next) => time = next,
                None => return time,
            }
        }
        now
    }

    /// The length of a period that the calendar does not matter to, and how often it is repeated.
    pub(crate) fn fixed(&self) -> Option<(Duration, Option<u32>)> {
        Some((self.pause.fixed()?, self.repeats))
    }

    /// The time after the given one; none beyond the end of the calendar.
    pub(crate) fn after(&self, time: Timestamp) -> Option<Timestamp> {
        self.pause.after(time)
    }
}

/// Reads a point in time, or a duration after another one; a negative one is before it.
///
/// # Errors
/// A text that is neither.
pub(crate) fn point(text: &str, from: Timestamp) -> Result<Timestamp, String> {
    let unsupported = || format!("unsupported time/duration format: {text}");
    if let Some(period) = iso_8601(text) {
        if period.repeats.is_some() {
            return Err("repetitions are not allowed".to_owned());
        }
        return period.after(from).ok_or_else(unsupported);
    }
    match (duration::parse(text), text.strip_prefix('-').and_then(duration::parse)) {
        (Some(_), Some(before)) => Ok(from.checked_sub(before).unwrap_or(Timestamp::MIN)),
        (Some(after), None) => Ok(from.checked_add(after).unwrap_or(Timestamp::MAX)),
        (None, _) => timestamp(text).ok_or_else(unsupported),
    }
}

/// `P1Y2M3W4DT5H6M7S`, perhaps with `R3/` in front; whole numbers only. A negative number of repetitions is without end.
fn iso_8601(text: &str) -> Option<Period> {
    let Some(rest) = text.strip_prefix('R') else {
        return Some(Period { pause: foundation_schedule::Period::parse(text)?, repeats: None });
    };
    let (number, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let repeats = match number.parse::<i64>().ok()? {
        ..0 => None,
        number => Some(u32::try_from(number).ok()?),
    };
    let pause = match rest {
        "" => foundation_schedule::Period::default(),
        rest => foundation_schedule::Period::parse(rest)?,
    };
    Some(Period { pause, repeats })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_beyond_the_calendar_are_refused() {
        assert!(Period::parse("P2000000000D2000000000D").is_err());
        assert!(Period::parse("P2000000000W").is_err());
    }

    #[test]
    fn periods_are_durations_of_either_kind() {
        let start = time("2024-01-30T10:00:00Z");
        for (text, next) in [
            ("1m30s", "2024-01-30T10:01:30Z"),
            ("PT90S", "2024-01-30T10:01:30Z"),
            ("P1M", "2024-02-29T10:00:00Z"),
            ("P1W2DT1H", "2024-02-08T11:00:00Z"),
            ("R3/P1Y", "2025-01-30T10:00:00Z"),
        ] {
            assert_eq!(Period::parse(text).unwrap().after(start), Some(time(next)), "{text}");
        }
        assert_eq!(Period::parse("R0/PT1S").unwrap_err(), "has zero repetitions");
        for wrong in ["x", "P", "PT1X", "R/PT1S", "Rx/PT1S", "PT1.5S", "P1", "1Y"] {
            assert!(Period::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_missed_counts_as_one() {
        let latest = |period: &str, start: &str, now: &str| {
            Period::parse(period).unwrap().latest(time(start), time(now)).to_string()
        };
        assert_eq!(latest("1s", "2020-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z"), "2026-01-01T00:00:00Z");
        assert_eq!(latest("7m", "2026-01-01T00:00:00Z", "2026-01-01T00:13:59Z"), "2026-01-01T00:07:00Z");
        assert_eq!(latest("PT1S", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"), "2026-01-01T00:00:01Z");
        assert_eq!(latest("P1M", "2020-01-31T00:00:00Z", "2020-03-30T00:00:00Z"), "2020-03-29T00:00:00Z");
        assert_eq!(latest("P1D", "0001-01-01T00:00:00Z", "2026-01-01T12:00:00Z"), "2026-01-01T12:00:00Z");
        assert_eq!(latest("1s", "2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z"), "2026-01-01T00:00:00Z");
        assert_eq!(latest("", "2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), "2020-01-01T00:00:00Z");
        assert_eq!(latest("1ns", "0001-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn the_end_of_the_calendar_is_never() {
        let start = time("2024-01-01T00:00:00Z");
        for never in ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59+02:00"] {
            assert_eq!(point(never, start), Ok(Timestamp::MAX), "{never}");
        }
        assert_eq!(point("1h", Timestamp::MAX), Ok(Timestamp::MAX));
        for wrong in ["9999-12-31", "9999-12-31T23:59:59", "9999-12-32T00:00:00Z", "10000-01-01T00:00:00Z"] {
            assert!(point(wrong, start).is_err(), "{wrong}");
        }
    }

    #[test]
    fn repetitions_are_counted() {
        let mut period = Period::parse("R3/PT1S").unwrap();
        assert_eq!([period.count(), period.count(), period.count()], [true, true, false]);
        assert!(Period::parse("1s").unwrap().count());
        assert!(!Period::parse("").unwrap().count());
        assert!(!Period::parse("R5").unwrap().count());
        assert_eq!(Period::parse("R-1/PT1S"), Period::parse("PT1S"));
    }

    #[test]
    fn points_in_time_are_named_or_counted_from_another() {
        let start = time("2024-01-01T00:00:00Z");
        assert_eq!(point("PT1M", start), Ok(time("2024-01-01T00:01:00Z")));
        assert_eq!(point("0h30m0s", start), Ok(time("2024-01-01T00:30:00Z")));
        assert_eq!(point("-1h", start), Ok(time("2023-12-31T23:00:00Z")));
        assert_eq!(point("-9999h", Timestamp::MIN), Ok(Timestamp::MIN));
        assert_eq!(point("2025-06-01T12:00:00.5+02:00", start), Ok(time("2025-06-01T10:00:00.5Z")));
        assert_eq!(point("R2/PT1M", start), Err("repetitions are not allowed".to_owned()));
        assert_eq!(point("soon", start), Err("unsupported time/duration format: soon".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[RPTYMWDHS0-9/.:+-]{0,24}|\\PC{0,12}") {
            let period = Period::parse(&text);
            let from = time("2024-01-01T00:00:00Z");
            let late = time("2031-05-17T13:00:00Z");
            if let Ok(period) = period {
                prop_assert!(period.latest(from, late) <= late);
                period.after(from);
            }
            point(&text, from).ok();
        }
    }
}
