//! Health of the app, found out by probes (surface.md 4.5).
use crate::{Error, HealthOptions};
use foundation_drain::Drain;
use std::future::Future;
use std::mem::replace;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

const SCOPE: &str = "dapr.apphealth";

/// Whether the app may be called.
#[derive(Debug)]
pub struct Health {
    options: Option<HealthOptions>,
    healthy: watch::Sender<bool>,
    started: AtomicBool,
}

impl Health {
    /// An app with health checks is unhealthy until the first of them succeeds.
    pub(crate) fn new(options: Option<HealthOptions>) -> Self {
        let healthy = watch::Sender::new(options.is_none());
        Self { options, healthy, started: AtomicBool::new(false) }
    }

    /// Whether the app is healthy now.
    pub fn is_healthy(&self) -> bool {
        *self.healthy.borrow()
    }

    /// Tells of changes.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.healthy.subscribe()
    }

    /// The settings, if there are health checks at all.
    pub fn options(&self) -> Option<&HealthOptions> {
        self.options.as_ref()
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.is_healthy() { Ok(()) } else { Err(Error::Unhealthy) }
    }

    /// Probes the app from now on. Does nothing without health checks, and when it runs already.
    pub(crate) fn start<P, F>(&self, drain: &Drain, probe: P)
    where
        P: Fn() -> F + Send + 'static,
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let Some(options) = self.options.clone() else { return };
        if self.started.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::info!(target: SCOPE, "App health probes starting");
        let mut watched = Watched { failures: 0, options, healthy: self.healthy.clone() };
        drain.spawn_until_stopped(async move { watched.run(probe).await });
    }
}

struct Watched {
    options: HealthOptions,
    failures: u32,
    healthy: watch::Sender<bool>,
}

impl Watched {
    async fn run<P, F>(&mut self, probe: P)
    where
        P: Fn() -> F,
        F: Future<Output = Result<(), String>>,
    {
        let mut ticks = interval(self.options.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let done = timeout(self.options.timeout, probe()).await;
            self.note(done.unwrap_or_else(|_| Err("Network error: context deadline exceeded".to_owned())));
        }
    }

    fn note(&mut self, probe: Result<(), String>) {
        let failure = probe.as_ref().err().map(String::as_str).unwrap_or_default();
        match self.turn(probe.is_ok(), failure) {
            None => {}
            Some(Turn::Healthy) => tracing::info!(target: SCOPE, "App entered healthy status"),
            Some(Turn::Unhealthy) => tracing::warn!(target: SCOPE, "App entered un-healthy status: {failure}"),
            Some(Turn::NeverHealthy) => {
                tracing::warn!(target: SCOPE, "App has not been healthy yet, and is not called until it is: {failure}");
            }
        }
    }

    /// What a probe changes.
    fn turn(&mut self, is_good: bool, failure: &str) -> Option<Turn> {
        if is_good {
            self.failures = 0;
            return self.healthy.send_if_modified(|healthy| !replace(healthy, true)).then_some(Turn::Healthy);
        }
        self.failures = self.failures.saturating_add(1);
        tracing::debug!(target: SCOPE, "App health probe failed for the {}. time in a row: {failure}", self.failures);
        if self.failures != self.options.threshold {
            return None;
        }
        let was_healthy = self.healthy.send_if_modified(|healthy| replace(healthy, false));
        Some(if was_healthy { Turn::Unhealthy } else { Turn::NeverHealthy })
    }
}

/// What the log tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Healthy,
    Unhealthy,
    /// After as many probes as make an app unhealthy it has answered none well since the start.
    NeverHealthy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_turn_is_told_once() {
        let health = Health::new(Some(HealthOptions::default()));
        let options = HealthOptions { threshold: 2, ..HealthOptions::default() };
        let mut watched = Watched { failures: 0, options, healthy: health.healthy.clone() };
        let mut turns = |probes: &[bool]| probes.iter().map(|good| watched.turn(*good, "")).collect::<Vec<_>>();
        assert_eq!(turns(&[false; 4]), [None, Some(Turn::NeverHealthy), None, None]);
        assert_eq!(turns(&[true; 2]), [Some(Turn::Healthy), None]);
        assert!(health.is_healthy());
        assert_eq!(turns(&[false; 4]), [None, Some(Turn::Unhealthy), None, None]);
        assert!(!health.is_healthy());
        assert_eq!(turns(&[true, false, true]), [Some(Turn::Healthy), None, None]);
    }
}
