//! Timers of actors: kept in the memory of the sidecar that took them, whoever hosts the actor by then (protocols.md 2.7).
use crate::errand::Begun;
use crate::error::Error;
use crate::hosts::Hosts;
use crate::model::ActorKey;
use crate::moment::{Period, point};
use crate::router::{Hop, Router};
use crate::tick::Tick;
use foundation_drain::Drain;
use foundation_telemetry::Metrics;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

const SCOPE: &str = "dapr.runtime.actors.timers";

/// When the ticks of a timer or a reminder come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) first: Timestamp,
    pub(crate) period: Period,
    /// No tick from then on.
    pub(crate) end: Option<Timestamp>,
}

impl Plan {
    /// Reads times as they were written; `what` and `key` are for errors.
    pub(crate) fn read(tick: &Tick, ttl: &str, now: Timestamp, what: &str) -> Result<Self, String> {
        let first = match tick.due_time.as_str() {
            "" => now,
            due => point(due, now).map_err(|reason| format!("error parsing {what} due time: {reason}"))?,
        };
        let period = Period::parse(&tick.period).map_err(|reason| format!("invalid {what} period: {reason}"))?;
        if ttl.is_empty() {
            return Ok(Self { first, period, end: None });
        }
        let end = point(ttl, first).map_err(|reason| format!("error parsing {what} TTL: {reason}"))?;
        if now > end || first > end {
            let key = key(&tick.actor, &tick.name);
            return Err(format!("{what} {key} has already expired: dueTime: {first} TTL: {ttl}"));
        }
        Ok(Self { first, period, end: Some(end) })
    }
}

fn key(actor: &ActorKey, name: &str) -> String {
    format!("{actor}||{name}")
}

/// All timers of this sidecar. Each is a task; ticks of one actor wait for its turn.
pub(crate) struct Timers {
    router: Arc<Router>,
    hosts: Arc<Hosts>,
    table: Mutex<Table>,
    metrics: Metrics,
    drain: Drain,
}

#[derive(Default)]
struct Table {
    running: HashMap<(ActorKey, String), Running>,
    timers_so_far: u64,
    /// By actor type.
    counts: HashMap<String, i64>,
}

struct Running {
    number: u64,
    /// Cancelled when the timer is replaced or deleted. A tick that has begun is not affected.
    gone: CancellationToken,
}

impl Timers {
    pub(crate) fn new(router: Arc<Router>, hosts: Arc<Hosts>, metrics: Metrics, drain: &Drain) -> Self {
        Self { router, hosts, table: Mutex::default(), metrics, drain: drain.clone() }
    }

    /// Starts a timer, in the place of the one with its name.
    ///
    /// # Errors
    /// [`Error::CreateTimer`] for times that cannot be read, and types that are not hosted here.
    pub(crate) fn create(self: &Arc<Self>, tick: Tick, ttl: &str) -> Result<(), Error> {
        if !self.hosts.is_hosted(&tick.actor.actor_type) {
            let text = format!("can't create timer for actor {}: actor type not registered", tick.actor);
            return Err(Error::CreateTimer(text));
        }
        let (now, clock) = (Timestamp::now(), Instant::now());
        let plan = Plan::read(&tick, ttl, now, "timer").map_err(Error::CreateTimer)?;
        let gone = CancellationToken::new();
        let number = self.insert(&tick, gone.clone());
        let timers = Arc::clone(self);
        self.drain.spawn_until_stopped(async move {
            timers.run(&tick, plan, (now, clock), gone).await;
            timers.remove_own(&tick, number);
        });
        Ok(())
    }

    /// Ends a timer; one that is not there is no error.
    pub(crate) fn delete(&self, actor: ActorKey, name: String) {
        let mut table = self.table();
        let actor_type = actor.actor_type.clone();
        if let Some(old) = table.running.remove(&(actor, name)) {
            old.gone.cancel();
            self.count(&mut table, &actor_type, -1);
        }
    }

    /// Ticks until the timer is over.
    async fn run(&self, tick: &Tick, plan: Plan, (now, clock): (Timestamp, Instant), gone: CancellationToken) {
        let Plan { first: mut next, mut period, end } = plan;
        loop {
            // Ticks that were missed count as one: nobody is told of years of them.
            next = period.latest(next, now.checked_add(clock.elapsed()).unwrap_or(now));
            if end.is_some_and(|end| next >= end) {
                tracing::info!(target: SCOPE, "Timer {} has expired", key(&tick.actor, &tick.name));
                return;
            }
            let wait = next.duration_since(now).unsigned_abs();
            let due = if next > now { clock.checked_add(wait) } else { Some(clock) };
            let Some(due) = due else { return };
            if gone.run_until_cancelled(sleep_until(due)).await.is_none() {
                return;
            }
            self.fire(tick, &gone).await;
            if gone.is_cancelled() {
                return;
            }
            let again = period.count();
            match period.after(next).filter(|_| again) {
                Some(later) => next = later,
                None => break,
            }
        }
        tracing::info!(target: SCOPE, "Timer {} has been completed", key(&tick.actor, &tick.name));
    }

    /// A tick that fails is over like one that does not. One that still waits for its turn ends with its timer: old ticks would pile up
    /// at a busy actor with each replacement.
    async fn fire(&self, tick: &Tick, gone: &CancellationToken) {
        let begun = Begun::default();
        let fired = tokio::select! {
            biased;
            () = begun.called_off(gone) => return,
            fired = self.router.tick_watched(tick, Hop::First, &begun) => fired,
        };
        self.metrics.actor_timer_fired(&tick.actor.actor_type, fired.is_ok());
        if let Err(error) = fired {
            tracing::error!(target: SCOPE, "Error executing timer: {error}");
        }
    }

    fn insert(&self, tick: &Tick, gone: CancellationToken) -> u64 {
        let mut table = self.table();
        table.timers_so_far += 1;
        let number = table.timers_so_far;
        let key = (tick.actor.clone(), tick.name.clone());
        match table.running.insert(key, Running { number, gone }) {
            Some(old) => old.gone.cancel(),
            None => self.count(&mut table, &tick.actor.actor_type, 1),
        }
        number
    }

    fn remove_own(&self, tick: &Tick, number: u64) {
        let mut table = self.table();
        let key = (tick.actor.clone(), tick.name.clone());
        if table.running.get(&key).is_some_and(|timer| timer.number == number) {
            table.running.remove(&key);
            self.count(&mut table, &tick.actor.actor_type, -1);
        }
    }

    fn count(&self, table: &mut Table, actor_type: &str, change: i64) {
        let count = table.counts.entry(actor_type.to_owned()).or_default();
        *count += change;
        self.metrics.actor_timers(actor_type, *count);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
