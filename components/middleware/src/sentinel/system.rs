//! Bounds of all requests together.
use super::guard::Blocked;
use super::rules::{Metric, SystemRule};
use super::window::Window;
use std::fs;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(1);
const BUCKETS: u32 = 2;
const LOAD: &str = "/proc/loadavg";
/// How long a load that was read is good.
const READ_EVERY: Duration = Duration::from_secs(1);

/// The rules about all requests, with what happened so far.
#[derive(Debug)]
pub(super) struct System {
    rules: Vec<SystemRule>,
    window: Window<Totals>,
    running: u32,
    load: Option<(Duration, f64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    passed: u64,
    completed: u64,
    took: Duration,
    shortest: Option<Duration>,
}

/// The load of the machine in the last minute; none where it cannot be read.
pub(super) fn load() -> Option<f64> {
    fs::read_to_string(LOAD).ok()?.split_whitespace().next()?.parse().ok()
}

impl System {
    pub(super) fn new(rules: Vec<SystemRule>) -> Self {
        Self { rules, window: Window::new(INTERVAL, BUCKETS), running: 0, load: None }
    }

    /// Whether one more request is within all bounds.
    pub(super) fn check(&mut self, now: Duration) -> Result<(), Blocked> {
        let totals = self.totals(now);
        let load = if self.rules.iter().any(|rule| rule.metric.is_load()) { self.load(now) } else { 0.0 };
        let exceeded = |rule: &SystemRule| match rule.metric {
            Metric::Load { adaptive } => load > rule.bound && !(adaptive && self.keeps_up(now)),
            Metric::AverageTime => totals.average_milliseconds() >= rule.bound,
            Metric::Concurrency => f64::from(self.running) >= rule.bound,
            Metric::Rate => totals.passed as f64 >= rule.bound,
        };
        if self.rules.iter().any(exceeded) { Err(Blocked::System) } else { Ok(()) }
    }

    pub(super) fn enter(&mut self, now: Duration) {
        self.running += 1;
        self.window.current(now).passed += 1;
    }

    pub(super) fn leave(&mut self, now: Duration, took: Duration) {
        self.running = self.running.saturating_sub(1);
        let totals = self.window.current(now);
        totals.completed += 1;
        totals.took += took;
        totals.shortest = Some(totals.shortest.map_or(took, |shortest| shortest.min(took)));
    }

    /// Whether not more requests run than the best rate and the shortest time of late explain.
    fn keeps_up(&self, now: Duration) -> bool {
        let best = self.window.now(now).map(|totals| totals.completed).max().unwrap_or_default() * u64::from(BUCKETS);
        let shortest = self.totals(now).shortest.unwrap_or_default();
        self.running <= 1 || f64::from(self.running) <= best as f64 * shortest.as_secs_f64()
    }

    fn totals(&self, now: Duration) -> Totals {
        self.window.now(now).fold(Totals::default(), |sum, one| Totals {
            passed: sum.passed + one.passed,
            completed: sum.completed + one.completed,
            took: sum.took + one.took,
            shortest: [sum.shortest, one.shortest].into_iter().flatten().min(),
        })
    }

    /// A load that cannot be read any more bounds nothing.
    fn load(&mut self, now: Duration) -> f64 {
        if self.load.is_none_or(|(read, _)| now >= read + READ_EVERY) {
            self.load = Some((now, load().unwrap_or_default()));
        }
        self.load.map_or(0.0, |(_, load)| load)
    }
}

impl Totals {
    fn average_milliseconds(&self) -> f64 {
        if self.completed == 0 { 0.0 } else { self.took.as_secs_f64() * 1000.0 / self.completed as f64 }
    }
}
