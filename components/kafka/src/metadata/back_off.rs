//! Pauses before a message that the app failed to handle comes again.
use component_api::{Error, GoDuration, Properties, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::{Duration, Instant};

/// When, and how often, a message comes again that the app failed to handle.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct BackOff {
    /// `constant`: the same pause each time; `exponential`: longer and longer ones.
    pub back_off_policy: String,
    /// The pause of `constant`.
    pub back_off_duration: GoDuration,
    /// The first pause of `exponential`.
    pub back_off_initial_interval: GoDuration,
    /// By which part of itself a pause of `exponential` is shortened or lengthened by chance.
    pub back_off_randomization_factor: f64,
    /// How many times as long the next pause of `exponential` is.
    pub back_off_multiplier: f64,
    /// The longest pause of `exponential`.
    pub back_off_max_interval: GoDuration,
    /// After which time `exponential` gives up; zero is never.
    pub back_off_max_elapsed_time: GoDuration,
    /// How often a message comes again; -1 is for ever. After that it is passed over.
    pub back_off_max_retries: i64,
}

/// Kinds of pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    Constant,
    Exponential,
}

/// Pauses of one message.
#[derive(Debug)]
pub(crate) struct Pauses<'a> {
    settings: &'a BackOff,
    next: Duration,
    tries: i64,
    start: Instant,
}

impl Default for BackOff {
    fn default() -> Self {
        Self {
            back_off_policy: "constant".to_owned(),
            back_off_duration: Duration::from_secs(5).into(),
            back_off_initial_interval: Duration::from_millis(500).into(),
            back_off_randomization_factor: 0.5,
            back_off_multiplier: 1.5,
            back_off_max_interval: Duration::from_secs(60).into(),
            back_off_max_elapsed_time: Duration::from_secs(15 * 60).into(),
            back_off_max_retries: -1,
        }
    }
}

impl BackOff {
    pub(super) fn read(properties: &Properties) -> Result<Self> {
        let read: Self = properties.decode()?;
        read.policy()?;
        Ok(read)
    }

    /// Begins with the pauses of a message.
    pub(crate) fn pauses(&self) -> Pauses<'_> {
        Pauses { settings: self, next: self.back_off_initial_interval.0, tries: 0, start: Instant::now() }
    }

    fn policy(&self) -> Result<Policy> {
        match self.back_off_policy.to_lowercase().as_str() {
            "constant" => Ok(Policy::Constant),
            "exponential" => Ok(Policy::Exponential),
            other => Err(Error::invalid(format!("backOffPolicy is '{other}'; it is constant or exponential"))),
        }
    }
}

impl Iterator for Pauses<'_> {
    type Item = Duration;

    /// The next pause; none when it is to be given up.
    fn next(&mut self) -> Option<Duration> {
        let settings = self.settings;
        if settings.back_off_max_retries >= 0 && self.tries >= settings.back_off_max_retries {
            return None;
        }
        self.tries += 1;
        if !matches!(settings.policy(), Ok(Policy::Exponential)) {
            return Some(settings.back_off_duration.0);
        }
        let longest = settings.back_off_max_elapsed_time.0;
        if !longest.is_zero() && self.start.elapsed() > longest {
            return None;
        }
        let pause = scattered(self.next, settings.back_off_randomization_factor);
        self.next = scaled(self.next, settings.back_off_multiplier).min(settings.back_off_max_interval.0);
        Some(pause)
    }
}

fn scattered(pause: Duration, by: f64) -> Duration {
    scaled(pause, 1.0 + by * (rand::random::<f64>() * 2.0 - 1.0))
}

/// What is no duration stays as it is.
fn scaled(pause: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(pause.as_secs_f64() * factor).unwrap_or(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> BackOff {
        BackOff::read(&Properties::from_iter(pairs.iter().copied())).unwrap()
    }

    #[test]
    fn nothing_said() {
        let pauses: Vec<_> = read(&[]).pauses().take(3).collect();
        assert_eq!(pauses, [Duration::from_secs(5); 3], "for ever, every five seconds");
    }

    #[test]
    fn a_few_times() {
        let pauses: Vec<_> = read(&[("backOffDuration", "10ms"), ("backOffMaxRetries", "2")]).pauses().collect();
        assert_eq!(pauses, [Duration::from_millis(10); 2]);
    }

    #[test]
    fn longer_and_longer() {
        let pairs = [
            ("backoffpolicy", "Exponential"),
            ("backOffInitialInterval", "1s"),
            ("backOffRandomizationFactor", "0"),
            ("backOffMultiplier", "2"),
            ("backOffMaxInterval", "3s"),
        ];
        let pauses: Vec<_> = read(&pairs).pauses().take(4).map(|pause| pause.as_secs()).collect();
        assert_eq!(pauses, [1, 2, 3, 3]);
    }

    #[test]
    fn unknown_policy() {
        assert!(BackOff::read(&Properties::from_iter([("backOffPolicy", "linear")])).is_err());
    }
}
