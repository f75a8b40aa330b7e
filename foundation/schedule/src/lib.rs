//! Schedules as Dapr's users write them: cron with five or six fields, `@daily` and its like, `@every 1m30s`.
//!
//! The grammar is that of Go's `robfig/cron`, of which Dapr's cron binding and scheduler use forks (components.md 1.3,
//! protocols.md 3.3): seconds come first and may be left out, day of month and day of week are alternatives when both are
//! restricted, `TZ=Europe/Rome ` may stand in front. [`point_in_time`] reads when something begins or ends.
mod calendar;
mod fields;
mod moment;
mod period;

use calendar::Calendar;
use foundation_metadata::duration;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::time::Duration;

pub use moment::{NoMoment, point_in_time, timestamp};
pub use period::Period;

/// When something happens again and again.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// After a time that is always the same.
    Every(Duration),
    /// At times of the calendar.
    Calendar(Box<Calendar>),
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("empty spec string")]
    Empty,
    #[error("unknown time zone {0}")]
    TimeZone(String),
    #[error("timezone prefix {0} is not followed by a schedule")]
    TimeZoneAlone(String),
    #[error("timezone is not supported for @every schedules: {0}")]
    TimeZoneOfDelay(String),
    #[error("unrecognized descriptor: {0}")]
    Descriptor(String),
    #[error("failed to parse duration {0}: use a duration above zero such as 1m30s")]
    Delay(String),
    #[error("expected 5 to 6 fields, found {0}")]
    Fields(usize),
    #[error("expected exactly 6 fields, found {found}: [{fields}]")]
    NotSixFields { found: usize, fields: String },
    #[error("{reason}: {field}")]
    Field { field: String, reason: String },
}

impl Schedule {
    /// Reads a schedule of the cron binding.
    ///
    /// # Errors
    /// [`Error`]
    pub fn parse(text: &str) -> Result<Self, Error> {
        let schedule = Self::read(text, |_| Ok(()))?;
        if schedule == Self::Every(Duration::ZERO) {
            return Err(Error::Delay(text.to_owned()));
        }
        Ok(schedule)
    }

    /// Reads a schedule of a job: there the second is never left out, and a delay may be zero.
    ///
    /// # Errors
    /// [`Error`]
    pub fn parse_job(text: &str) -> Result<Self, Error> {
        Self::read(text, |fields| match fields.split_whitespace().count() {
            6 => Ok(()),
            found => {
                let fields = fields.split_whitespace().collect::<Vec<_>>().join(" ");
                Err(Error::NotSixFields { found, fields })
            }
        })
    }

    fn read(text: &str, check: impl FnOnce(&str) -> Result<(), Error>) -> Result<Self, Error> {
        let (zone, text) = zone(text)?;
        if let Some(delay) = text.strip_prefix("@every ") {
            return Self::every(delay, text, zone.is_some());
        }
        let zone = zone.unwrap_or_else(TimeZone::system);
        let fields = match text.strip_prefix('@') {
            Some(name) => described(name).ok_or_else(|| Error::Descriptor(text.to_owned()))?,
            None => text,
        };
        check(fields)?;
        Calendar::parse(fields, zone).map(Box::new).map(Self::Calendar)
    }

    /// The next time after the given one; none when there is none within five years.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(delay) => after.checked_add(*delay).ok(),
            Self::Calendar(calendar) => calendar.next(after).as_ref().map(Zoned::timestamp),
        }
    }

    fn every(delay: &str, text: &str, has_zone: bool) -> Result<Self, Error> {
        if has_zone {
            return Err(Error::TimeZoneOfDelay(text.to_owned()));
        }
        let delay = Some(delay).filter(|delay| !delay.starts_with('-')).and_then(duration::parse);
        delay.map(Self::Every).ok_or_else(|| Error::Delay(text.to_owned()))
    }
}

/// The time zone in front, if there is one, and what follows.
fn zone(text: &str) -> Result<(Option<TimeZone>, &str), Error> {
    if text.is_empty() {
        return Err(Error::Empty);
    }
    let Some(named) = ["TZ=", "CRON_TZ="].iter().find_map(|prefix| text.strip_prefix(prefix)) else {
        return Ok((None, text));
    };
    let (name, rest) = named.split_once(char::is_whitespace).ok_or_else(|| Error::TimeZoneAlone(text.to_owned()))?;
    Ok((Some(named_zone(name)?), rest.trim()))
}

/// As Go finds it: nothing is UTC, and `Local` that of the process.
fn named_zone(name: &str) -> Result<TimeZone, Error> {
    match name {
        "" => Ok(TimeZone::UTC),
        "Local" => Ok(TimeZone::system()),
        name => TimeZone::get(name).map_err(|_| Error::TimeZone(name.to_owned())),
    }
}

fn described(name: &str) -> Option<&'static str> {
    match name {
        "yearly" | "annually" => Some("0 0 0 1 1 *"),
        "monthly" => Some("0 0 0 1 * *"),
        "weekly" => Some("0 0 0 * * 0"),
        "daily" | "midnight" => Some("0 0 0 * * *"),
        "hourly" => Some("0 0 * * * *"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
