//! The functions that expressions can call: those of the library, and those of time.
use crate::time::{Moment, Span};
use cel::common::functions::Function;
use cel::common::types::{CelInt, CelString, DURATION_TYPE, STRING_TYPE, TIMESTAMP_TYPE};
use cel::common::value::CowVal;
use cel::{DeclarationError, Env, ExecutionError, add_overload};
use foundation_metadata::duration;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use std::sync::{Arc, LazyLock};

/// Made once: it is the same for all expressions.
pub(crate) static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    // Dapr's library does not know optional values either.
    let mut environment = Env::stdlib().with_optional_support(false);
    // No two functions here have the same name and arguments: a test calls all of them.
    declare(&mut environment).ok();
    Arc::new(environment)
});

/// Parts of a moment, in universal time or in that of a zone.
const PARTS: [(&str, Function); 10] = [
    ("getFullYear", |given| part(&given, |time| time.year().into())),
    ("getMonth", |given| part(&given, |time| i64::from(time.month()) - 1)),
    ("getDayOfYear", |given| part(&given, |time| i64::from(time.day_of_year()) - 1)),
    ("getDayOfMonth", |given| part(&given, |time| i64::from(time.day()) - 1)),
    ("getDate", |given| part(&given, |time| time.day().into())),
    ("getDayOfWeek", |given| part(&given, |time| time.weekday().to_sunday_zero_offset().into())),
    ("getHours", |given| part(&given, |time| time.hour().into())),
    ("getMinutes", |given| part(&given, |time| time.minute().into())),
    ("getSeconds", |given| part(&given, |time| time.second().into())),
    ("getMilliseconds", |given| part(&given, |time| time.millisecond().into())),
];

/// A whole span, in one unit.
const UNITS: [(&str, Function); 4] = [
    ("getHours", |given| whole(&given, |span| span.as_hours())),
    ("getMinutes", |given| whole(&given, |span| span.as_mins())),
    ("getSeconds", |given| whole(&given, |span| span.as_secs())),
    ("getMilliseconds", |given| whole(&given, |span| i64::try_from(span.as_millis()).unwrap_or(i64::MAX))),
];

fn declare(environment: &mut Env) -> Result<(), DeclarationError> {
    environment.add_type(TIMESTAMP_TYPE)?;
    environment.add_type(DURATION_TYPE)?;
    add_overload!(environment, fn moment: (CelString) -> Result<Moment>, name = "timestamp", id = "string_to_timestamp")?;
    add_overload!(environment, fn same_moment: (Moment) -> Moment, name = "timestamp", id = "timestamp_to_timestamp")?;
    add_overload!(environment, fn of_seconds: (CelInt) -> Result<Moment>, name = "timestamp", id = "int64_to_timestamp")?;
    add_overload!(environment, fn span: (CelString) -> Result<Span>, name = "duration", id = "string_to_duration")?;
    add_overload!(environment, fn same_span: (Span) -> Span, name = "duration", id = "duration_to_duration")?;
    add_overload!(environment, fn to_seconds: (Moment) -> CelInt, name = "int", id = "timestamp_to_int64")?;
    environment.add_overload("string", "timestamp_to_string", vec![TIMESTAMP_TYPE], moment_text)?;
    environment.add_overload("string", "duration_to_string", vec![DURATION_TYPE], span_text)?;
    for (name, part) in PARTS {
        environment.add_member_overload(name, &format!("{name}_of_timestamp"), TIMESTAMP_TYPE, Vec::new(), part)?;
        environment.add_member_overload(name, &format!("{name}_in_zone"), TIMESTAMP_TYPE, vec![STRING_TYPE], part)?;
    }
    for (name, unit) in UNITS {
        environment.add_member_overload(name, &format!("{name}_of_duration"), DURATION_TYPE, Vec::new(), unit)?;
    }
    Ok(())
}

fn moment(text: &CelString<'_>) -> Result<Moment, ExecutionError> {
    text.inner().parse().map(Moment).map_err(|error: jiff::Error| failed("timestamp", &error))
}

fn same_moment(moment: &Moment) -> Moment {
    *moment
}

fn of_seconds(seconds: &CelInt) -> Result<Moment, ExecutionError> {
    Timestamp::from_second(*seconds.inner()).map(Moment).map_err(|error| failed("timestamp", &error))
}

fn to_seconds(moment: &Moment) -> CelInt {
    moment.0.as_second().into()
}

fn span(text: &CelString<'_>) -> Result<Span, ExecutionError> {
    let unreadable = || failed("duration", &"it is no duration such as 1h30m");
    let (is_negative, unsigned) = match text.inner().strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text.inner()),
    };
    let has_sign = is_negative && unsigned.starts_with(['-', '+']);
    let length = duration::parse(unsigned).filter(|_| !has_sign).ok_or_else(unreadable)?;
    let length = SignedDuration::try_from(length).map_err(|_| unreadable())?;
    Ok(Span(if is_negative { -length } else { length }))
}

fn same_span(span: &Span) -> Span {
    *span
}

fn moment_text<'b, 'v>(given: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let Moment(moment) = of(&given)?;
    Ok(CowVal::owned(CelString::from(moment.to_string())))
}

/// Seconds, as Go's library writes them.
fn span_text<'b, 'v>(given: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let Span(span) = of(&given)?;
    Ok(CowVal::owned(CelString::from(format!("{}s", span.as_secs_f64()))))
}

fn part<'b, 'v>(given: &[CowVal<'b, 'v>], part: fn(&Zoned) -> i64) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let Moment(moment) = of(given)?;
    let zone = match given.get(1).and_then(|zone| zone.downcast_ref::<CelString<'_>>()) {
        Some(name) => {
            DateTimeParser::new().parse_time_zone(name.inner()).map_err(|error| failed("timestamp", &error))?
        }
        None => TimeZone::UTC,
    };
    Ok(CowVal::owned(CelInt::from(part(&moment.to_zoned(zone)))))
}

fn whole<'b, 'v>(given: &[CowVal<'b, 'v>], unit: fn(SignedDuration) -> i64) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let Span(span) = of(given)?;
    Ok(CowVal::owned(CelInt::from(unit(span))))
}

/// What a function is called on.
fn of<T: cel::common::value::StaticVal + Copy>(given: &[CowVal<'_, '_>]) -> Result<T, ExecutionError> {
    let value = given.first().and_then(|value| value.downcast_ref::<T>()).copied();
    value.ok_or_else(|| ExecutionError::invalid_argument_count(1, given.len()))
}

fn failed(function: &str, reason: &dyn std::fmt::Display) -> ExecutionError {
    ExecutionError::function_error(function, reason)
}
