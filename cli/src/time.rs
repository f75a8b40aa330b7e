//! Ages and dates as `dapr list` shows them.
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::Duration;

/// The largest whole unit: `59s`, `3m`, `7h`, `2d`.
pub(crate) fn age(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..=60 => format!("{seconds}s"),
        seconds @ 61..=3_600 => format!("{}m", seconds / 60),
        seconds @ 3_601..=86_400 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// Local time. The point before the seconds is Dapr's, and scripts may rely on it.
pub(crate) fn created(unix_seconds: u64) -> String {
    local(unix_seconds, "%Y-%m-%d %H:%M.%S")
}

/// Local time as log files carry it in their names.
pub(crate) fn stamp() -> String {
    let now = Timestamp::now().to_zoned(TimeZone::system());
    now.strftime("%Y%m%d%H%M%S").to_string()
}

/// Time since then; nothing for times to come.
pub(crate) fn since(unix_seconds: u64) -> Duration {
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
    Duration::from_secs(now.saturating_sub(unix_seconds))
}

fn local(unix_seconds: u64, format: &str) -> String {
    let time = i64::try_from(unix_seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map(|time| time.to_zoned(TimeZone::system()).strftime(format).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let of = |seconds| age(Duration::from_secs(seconds));
        assert_eq!(
            [of(0), of(60), of(61), of(3_600), of(3_601), of(86_400), of(86_401), of(200_000)],
            ["0s", "60s", "1m", "60m", "1h", "24h", "1d", "2d"]
        );
    }
}
