//! Times of the calendar in a time zone.
use crate::Error;
use crate::fields::{DAYS, HOURS, MINUTES, MONTHS, SECONDS, Values, WEEKDAYS};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

/// Years that are looked through for the next time.
const HORIZON: i16 = 5;

/// Which times are meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    zone: TimeZone,
    seconds: Values,
    minutes: Values,
    hours: Values,
    days: Values,
    months: Values,
    weekdays: Values,
}

impl Calendar {
    /// Reads five or six fields; without the first one the second is 0.
    pub(crate) fn parse(text: &str, zone: TimeZone) -> Result<Self, Error> {
        let mut fields: Vec<_> = text.split_whitespace().collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        let [seconds, minutes, hours, days, months, weekdays] = fields[..] else {
            return Err(Error::Fields(fields.len()));
        };
        Ok(Self {
            zone,
            seconds: Values::parse(seconds, &SECONDS)?,
            minutes: Values::parse(minutes, &MINUTES)?,
            hours: Values::parse(hours, &HOURS)?,
            days: Values::parse(days, &DAYS)?,
            months: Values::parse(months, &MONTHS)?,
            weekdays: Values::parse(weekdays, &WEEKDAYS)?,
        })
    }

    /// The first time after the given one. Hours that a change of the clock leaves out are not made up for, and those
    /// that it repeats count twice.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Zoned> {
        let second = Timestamp::from_second(after.as_second().checked_add(1)?).ok()?;
        let mut time = second.to_zoned(self.zone.clone());
        let horizon = time.year().saturating_add(HORIZON);
        while time.year() <= horizon {
            match self.later(&time) {
                Some(later) => time = later?,
                None => return Some(time),
            }
        }
        None
    }

    /// None when the time is meant, else the next one to look at; the inner none is the end of the calendar.
    fn later(&self, time: &Zoned) -> Option<Option<Zoned>> {
        let (minute, second) = (i64::from(time.minute()), i64::from(time.second()));
        if !self.months.has(time.month()) {
            let next = time.first_of_month().and_then(|first| first.checked_add(1.month())?.start_of_day());
            return Some(next.ok());
        }
        if !self.has_day(time) {
            return Some(time.tomorrow().and_then(|tomorrow| tomorrow.start_of_day()).ok());
        }
        if !self.hours.has(time.hour()) {
            return Some(time.checked_add((3600 - 60 * minute - second).seconds()).ok());
        }
        if !self.minutes.has(time.minute()) {
            return Some(time.checked_add((60 - second).seconds()).ok());
        }
        (!self.seconds.has(time.second())).then(|| time.checked_add(1.second()).ok())
    }

    /// Both kinds of days must fit, unless both are restricted: then one of them is enough.
    fn has_day(&self, time: &Zoned) -> bool {
        let day = self.days.has(time.day());
        let weekday = self.weekdays.has(time.weekday().to_sunday_zero_offset());
        if self.days.is_star || self.weekdays.is_star { day && weekday } else { day || weekday }
    }
}
