//! Schedules and the times that follow from them.
use super::*;
use proptest::prelude::*;

/// The times that follow one of 2026, in the schedule's own time zone.
fn following(schedule: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(schedule).unwrap();
    let mut time: Timestamp = after.parse().unwrap();
    let zone = match &schedule {
        Schedule::Calendar(calendar) => calendar.next(time).map_or(TimeZone::UTC, |time| time.time_zone().clone()),
        Schedule::Every(_) => TimeZone::UTC,
    };
    let mut times = Vec::new();
    for _ in 0..count {
        let Some(next) = schedule.next(time) else { break };
        times.push(next.to_zoned(zone.clone()).strftime("%m-%d %H:%M:%S").to_string());
        time = next;
    }
    times
}

#[test]
fn times_follow_the_fields() {
    // 2026-01-01 is a Thursday.
    for (schedule, expected) in [
        ("*/20 * * * * *", ["01-01 00:00:20", "01-01 00:00:40", "01-01 00:01:00"]),
        ("30 * * * *", ["01-01 00:30:00", "01-01 01:30:00", "01-01 02:30:00"]),
        ("5,10-12 0 0 * * ?", ["01-01 00:00:05", "01-01 00:00:10", "01-01 00:00:11"]),
        ("0 0 22/1 * * *", ["01-01 22:00:00", "01-01 23:00:00", "01-02 22:00:00"]),
        ("0 0 12 * * MON-FRI", ["01-01 12:00:00", "01-02 12:00:00", "01-05 12:00:00"]),
        ("0 0 0 31 * *", ["01-31 00:00:00", "03-31 00:00:00", "05-31 00:00:00"]),
        ("0 0 0 1,15 * sun", ["01-04 00:00:00", "01-11 00:00:00", "01-15 00:00:00"]),
        ("0 0 0 */2 * mon", ["01-03 00:00:00", "01-05 00:00:00", "01-07 00:00:00"]),
        ("0 0 0 1 feb,Dec *", ["02-01 00:00:00", "12-01 00:00:00", "02-01 00:00:00"]),
        ("@monthly", ["02-01 00:00:00", "03-01 00:00:00", "04-01 00:00:00"]),
        ("@weekly", ["01-04 00:00:00", "01-11 00:00:00", "01-18 00:00:00"]),
        ("@hourly", ["01-01 01:00:00", "01-01 02:00:00", "01-01 03:00:00"]),
        ("@every 1h30m", ["01-01 01:30:00", "01-01 03:00:00", "01-01 04:30:00"]),
    ] {
        let schedule = if schedule.starts_with("@every") { schedule.to_owned() } else { format!("TZ=UTC {schedule}") };
        assert_eq!(following(&schedule, "2026-01-01T00:00:00.5Z", 3), expected, "{schedule}");
    }
}

#[test]
fn a_day_that_never_comes_is_none() {
    assert_eq!(following("TZ=UTC 0 0 0 30 2 *", "2026-01-01T00:00:00Z", 1), Vec::<String>::new());
    assert_eq!(following("TZ=UTC 0 0 0 29 2 *", "2026-01-01T00:00:00Z", 1), ["02-29 00:00:00"]);
}

#[test]
fn clocks_change() {
    // In 2026 Rome's clocks go from 2 to 3 on 29 March, and from 3 to 2 on 25 October.
    let rome = |schedule: &str, after: &str| following(&format!("CRON_TZ=Europe/Rome {schedule}"), after, 2);
    assert_eq!(rome("0 30 2 * * *", "2026-03-27T12:00:00Z"), ["03-28 02:30:00", "03-30 02:30:00"]);
    assert_eq!(rome("0 30 2 25 * *", "2026-10-24T12:00:00Z"), ["10-25 02:30:00", "10-25 02:30:00"]);
    // In 2018 Sao Paulo had no midnight on 4 November.
    let after = "2018-11-03T12:00:00Z";
    assert_eq!(following("TZ=America/Sao_Paulo 0 0 1 * * *", after, 2), ["11-04 01:00:00", "11-05 01:00:00"]);
}

#[test]
fn delays_may_be_below_a_second() {
    let now = Timestamp::UNIX_EPOCH;
    let next = Schedule::parse("@every 10ms").unwrap().next(now).unwrap();
    assert_eq!(next.as_millisecond(), 10);
}

#[test]
fn what_is_no_schedule_is_refused() {
    for (text, reason) in [
        ("", "empty spec string"),
        ("not a schedule", "expected 5 to 6 fields, found 3"),
        ("* * * *", "expected 5 to 6 fields, found 4"),
        ("60 * * * * *", "end of range (60) above maximum (59): 60"),
        ("* * * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * * * 7", "end of range (7) above maximum (6): 7"),
        ("5-1 * * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * * *", "step of range should be a positive number: */0"),
        ("x * * * * *", "x is no number: x"),
        ("1/2/3 * * * * *", "2/3 is no number: 1/2/3"),
        ("1-2-3 * * * * *", "2-3 is no number: 1-2-3"),
        (", * * * * *", "a value is missing: ,"),
        ("@often", "unrecognized descriptor: @often"),
        ("@every", "unrecognized descriptor: @every"),
        ("@every soon", "failed to parse duration @every soon: use a duration above zero such as 1m30s"),
        ("@every -1s", "failed to parse duration @every -1s: use a duration above zero such as 1m30s"),
        ("TZ=Nowhere/City * * * * *", "unknown time zone Nowhere/City"),
        ("TZ=UTC", "timezone prefix TZ=UTC is not followed by a schedule"),
        ("TZ=UTC @every 1s", "timezone is not supported for @every schedules: @every 1s"),
    ] {
        assert_eq!(Schedule::parse(text).unwrap_err().to_string(), reason, "{text}");
    }
}

#[test]
fn jobs_name_the_second_and_may_have_no_delay() {
    let refusal = |text| Schedule::parse_job(text).unwrap_err().to_string();
    assert_eq!(refusal("* * *  * *"), "expected exactly 6 fields, found 5: [* * * * *]");
    assert_eq!(refusal("1h"), "expected exactly 6 fields, found 1: [1h]");
    assert_eq!(Schedule::parse_job("@every 0s"), Ok(Schedule::Every(Duration::ZERO)));
    assert!(Schedule::parse_job("@every -1s").is_err() && Schedule::parse("@every 0s").is_err());
    assert!(Schedule::parse_job("@daily").is_ok() && Schedule::parse_job("CRON_TZ=UTC 0 0 6 * * *").is_ok());
}

#[test]
fn a_point_in_time_is_named_or_counted_from_another() {
    let start: Timestamp = "2024-01-30T00:00:00Z".parse().unwrap();
    for (text, expected) in [
        ("2025-06-01T12:00:00.5+02:00", "2025-06-01T10:00:00.5Z"),
        ("1h30m", "2024-01-30T01:30:00Z"),
        ("P1M", "2024-02-29T00:00:00Z"),
        ("P1Y2W3D", "2025-02-16T00:00:00Z"),
        ("P1DT1M", "2024-01-31T00:01:00Z"),
        ("R0/PT1S", "2024-01-30T00:00:01Z"),
    ] {
        assert_eq!(point_in_time(text, start), Ok(expected.parse().unwrap()), "{text}");
    }
    for never in ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59+02:00"] {
        assert_eq!(point_in_time(never, start), Ok(Timestamp::MAX));
    }
    for text in ["tomorrow", "", "P", "PT1X", "PT1.5S", "1D"] {
        assert_eq!(point_in_time(text, start), Err(NoMoment::Unknown), "{text}");
    }
    assert_eq!(point_in_time("R2/PT1S", start), Err(NoMoment::Repeats));
}

proptest! {
    #[test]
    fn any_text_is_a_point_in_time_or_refused(text in "[RPTYMWDHS0-9/.:+-]{0,24}|\\PC{0,12}") {
        point_in_time(&text, "2024-01-01T00:00:00Z".parse().unwrap()).ok();
    }

    #[test]
    fn any_text_is_a_schedule_or_refused(text in "[-0-9*/,?@ a-zA-Z=_]{0,24}") {
        if let Ok(schedule) = Schedule::parse(&text) {
            let now: Timestamp = "2026-03-29T00:59:59.9Z".parse().unwrap();
            prop_assert!(schedule.next(now).is_none_or(|next| next > now));
        }
    }
}

#[test]
fn zones_have_the_names_that_go_knows() {
    assert_eq!(Schedule::parse_job("TZ= 0 30 3 * * *"), Schedule::parse_job("TZ=UTC 0 30 3 * * *"));
    assert_eq!(Schedule::parse_job("CRON_TZ=Local 0 30 3 * * *"), Schedule::parse_job("0 30 3 * * *"));
    assert!(Schedule::parse_job("TZ=Nowhere 0 30 3 * * *").is_err());
}

#[test]
fn negative_durations_lead_to_the_past() {
    let from: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(point_in_time("-1m30s", from), Ok("2025-12-31T23:58:30Z".parse().unwrap()));
    assert_eq!(point_in_time("+5s", from), Ok("2026-01-01T00:00:05Z".parse().unwrap()));
    for wrong in ["--5s", "-+5s", "-", "-5"] {
        assert_eq!(point_in_time(wrong, from), Err(NoMoment::Unknown), "{wrong}");
    }
}
