//! Texts as Go prints them.
use std::time::Duration;

/// A duration such as `3m0s`, `2s` or `700ms`.
pub(crate) fn go_duration(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    if nanoseconds < 1_000_000_000 {
        let (unit, size) = match nanoseconds {
            0..=999 => ("ns", 1),
            1_000..=999_999 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{}{unit}", decimal(nanoseconds, size));
    }
    let seconds = duration.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = decimal(nanoseconds - u128::from(seconds / 60) * 60_000_000_000, 1_000_000_000);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, minutes) => format!("{minutes}m{rest}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}s"),
    }
}

fn decimal(value: u128, unit: u128) -> String {
    let (whole, part) = (value / unit, value % unit);
    if part == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    format!("{whole}.{}", format!("{part:0width$}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_look_like_those_of_go() {
        let of = |milliseconds| go_duration(Duration::from_millis(milliseconds));
        let texts = [of(0), of(700), of(2000), of(1500), of(180_000), of(3_601_500)];
        assert_eq!(texts, ["0s", "700ms", "2s", "1.5s", "3m0s", "1h0m1.5s"]);
        assert_eq!(go_duration(Duration::from_micros(1500)), "1.5ms");
    }
}
