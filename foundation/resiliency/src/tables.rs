//! All named policies of the Resiliency resources, and what their names stand for (surface.md 3.5).
use crate::breaker::BreakerPolicy;
use crate::matching::{InvalidMatching, Matching};
use crate::names::{BuiltIn, Level};
use crate::retry::{LONGEST, Pauses, Retry};
use crate::trip::{InvalidTrip, Trip};
use foundation_metadata::duration::parse_or_milliseconds;
use foundation_resources as resource;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const USUAL_PAUSE: Duration = Duration::from_secs(5);
const USUAL_LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Fewest tries of a policy that replaces a built-in one.
const FEWEST_BUILT_IN: u32 = 3;

/// Why a Resiliency resource cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("invalid duration \"{name}\", {text}: write it as in 500ms, or as a number of milliseconds")]
    Duration { name: String, text: String },
    #[error(
        "invalid retry configuration \"{name}\": unexpected back off policy type: {policy}; use constant or exponential"
    )]
    Backoff { name: String, policy: String },
    #[error("invalid retry configuration \"{name}\": {reason}")]
    Matching { name: String, reason: InvalidMatching },
    #[error("invalid circuit breaker configuration \"{name}\": {reason}")]
    Trip { name: String, reason: InvalidTrip },
    #[error("invalid circuit breaker configuration \"{name}\": maxRequests is {value}")]
    MaxRequests { name: String, value: i64 },
    #[error("actor circuit breakers must include scope")]
    NoScope,
    #[error("unknown circuit breaker scope \"{0}\"")]
    Scope(String),
    #[error("circuitBreakerCacheSize of \"{name}\" is {value}: it must be a positive number")]
    CacheSize { name: String, value: i64 },
}

/// Policies by name.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    timeouts: BTreeMap<String, Duration>,
    retries: BTreeMap<String, Arc<Retry>>,
    breakers: BTreeMap<String, Arc<BreakerPolicy>>,
}

/// The policies that a target uses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chosen {
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: Option<Arc<Retry>>,
    /// With its name.
    pub(crate) breaker: Option<(String, Arc<BreakerPolicy>)>,
}

impl Chosen {
    /// No policy at all.
    pub(crate) const NONE: &Self = &Self { timeout: None, retry: None, breaker: None };

    pub(crate) fn is_empty(&self) -> bool {
        self.timeout.is_none() && self.retry.is_none() && self.breaker.is_none()
    }
}

impl Default for Tables {
    /// The built-in policies.
    fn default() -> Self {
        let retries = BuiltIn::ALL.map(|one| (one.as_str().to_owned(), Arc::new(built_in(one))));
        Self { timeouts: BTreeMap::new(), retries: retries.into(), breakers: BTreeMap::new() }
    }
}

impl Tables {
    /// Adds the policies of a resource; of two with one name the later wins.
    pub(crate) fn add(&mut self, policies: &resource::Policies) -> Result<(), Invalid> {
        for (name, text) in &policies.timeouts {
            self.timeouts.insert(name.clone(), duration(name, text)?);
        }
        for (name, written) in &policies.retries {
            let retry = retry(name, written)?;
            self.insert_retry(name, retry);
        }
        for (name, written) in &policies.circuit_breakers {
            self.breakers.insert(name.clone(), Arc::new(breaker(name, written)?));
        }
        Ok(())
    }

    /// What names of policies stand for. A name that nobody knows stands for none.
    pub(crate) fn choose(&self, timeout: &str, retry: &str, breaker: &str) -> Chosen {
        Chosen {
            timeout: self.timeouts.get(timeout).copied().filter(|timeout| !timeout.is_zero()),
            retry: self.retries.get(retry).cloned(),
            breaker: self.breakers.get_key_value(breaker).map(|(name, policy)| (name.clone(), Arc::clone(policy))),
        }
    }

    /// The policies of targets that are not listed.
    pub(crate) fn choose_default(&self, level: Level) -> Chosen {
        let find = |kind: &str, known: &dyn Fn(&String) -> bool| level.names(kind).into_iter().find(known);
        let timeout = find("TimeoutPolicy", &|name| self.timeouts.contains_key(name));
        let retry = find("RetryPolicy", &|name| self.retries.contains_key(name));
        let breaker = find("CircuitBreakerPolicy", &|name| self.breakers.contains_key(name));
        self.choose(&timeout.unwrap_or_default(), &retry.unwrap_or_default(), &breaker.unwrap_or_default())
    }

    /// The names that a member of a target may have.
    pub(crate) fn names(&self, member: &str) -> Vec<&str> {
        match member {
            "timeout" => self.timeouts.keys().map(String::as_str).collect(),
            "retry" => self.retries.keys().map(String::as_str).collect(),
            _ => self.breakers.keys().map(String::as_str).collect(),
        }
    }

    pub(crate) fn built_in(&self, built_in: BuiltIn) -> Option<Arc<Retry>> {
        self.retries.get(built_in.as_str()).cloned()
    }

    fn insert_retry(&mut self, name: &str, mut retry: Retry) {
        let built_in = BuiltIn::named(name);
        if built_in == Some(BuiltIn::ActorNotFoundRetries) {
            tracing::warn!(target: "dapr.runtime", "Attempted to override protected policy {name} which is not allowed. Ignoring provided policy and using default.");
            return;
        }
        if built_in.is_some() && retry.limit.is_none_or(|limit| limit < FEWEST_BUILT_IN) {
            tracing::warn!(target: "dapr.runtime", "Attempted override of {name} did not meet minimum retry count, resetting to 3.");
            retry.limit = Some(FEWEST_BUILT_IN);
        }
        self.retries.insert(name.to_owned(), Arc::new(retry));
    }
}

fn built_in(built_in: BuiltIn) -> Retry {
    let second = Duration::from_secs(1);
    let growing = |longest, give_up_after, limit| Retry {
        pauses: Pauses::Growing { longest, give_up_after },
        limit,
        matching: Matching::default(),
    };
    match built_in {
        BuiltIn::ServiceRetries | BuiltIn::ActorRetries => Retry::constant(second, 3),
        BuiltIn::ActorNotFoundRetries => Retry::constant(second, 5),
        BuiltIn::ActorReminderRetries => growing(60 * second, LONGEST, None),
        BuiltIn::InitializationRetries => growing(second, 10 * second, Some(3)),
    }
}

/// A negative duration is none at all.
fn duration(name: &str, text: &str) -> Result<Duration, Invalid> {
    let invalid = || Invalid::Duration { name: name.to_owned(), text: text.to_owned() };
    parse_or_milliseconds(text).ok_or_else(invalid)
}

fn duration_or(name: &str, text: &str, usual: Duration) -> Result<Duration, Invalid> {
    if text.is_empty() { Ok(usual) } else { duration(name, text) }
}

fn retry(name: &str, written: &resource::Retry) -> Result<Retry, Invalid> {
    let pause = duration_or(name, &written.duration, USUAL_PAUSE)?;
    let longest = duration_or(name, &written.max_interval, USUAL_LONGEST_PAUSE)?;
    let pauses = match written.policy.to_ascii_lowercase().as_str() {
        "" | "constant" => Pauses::Constant(pause),
        "exponential" => Pauses::Growing { longest, give_up_after: LONGEST },
        _ => return Err(Invalid::Backoff { name: name.to_owned(), policy: written.policy.clone() }),
    };
    let matching = written.matching.clone().unwrap_or_default();
    let matching = Matching::parse(&matching.http_status_codes, &matching.grpc_status_codes)
        .map_err(|reason| Invalid::Matching { name: name.to_owned(), reason })?;
    Ok(Retry { pauses, limit: written.max_retries.and_then(|limit| u32::try_from(limit).ok()), matching })
}

fn breaker(name: &str, written: &resource::CircuitBreaker) -> Result<BreakerPolicy, Invalid> {
    let usual = BreakerPolicy::default();
    let max_requests = u32::try_from(written.max_requests)
        .map_err(|_| Invalid::MaxRequests { name: name.to_owned(), value: written.max_requests })?;
    let timeout = duration_or(name, &written.timeout, usual.timeout)?;
    let trip = Trip::parse(&written.trip).map_err(|reason| Invalid::Trip { name: name.to_owned(), reason })?;
    Ok(BreakerPolicy {
        max_requests: max_requests.max(usual.max_requests),
        interval: duration_or(name, &written.interval, usual.interval)?,
        timeout: if timeout.is_zero() { usual.timeout } else { timeout },
        trip,
    })
}

#[cfg(test)]
mod tests;
