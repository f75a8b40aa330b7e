//! Rules as they are written, and what they mean.
mod written;

use super::Metadata;
use component_api::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::time::Duration;
use written::{WrittenBreaker, WrittenFlow, WrittenIsolation, WrittenSystem};

const FLOW_FIELDS: &[&str] = &[
    "id",
    "resource",
    "tokenCalculateStrategy",
    "controlBehavior",
    "threshold",
    "relationStrategy",
    "refResource",
    "maxQueueingTimeMs",
    "warmUpPeriodSec",
    "warmUpColdFactor",
    "statIntervalInMs",
    "lowMemUsageThreshold",
    "highMemUsageThreshold",
    "memLowWaterMarkBytes",
    "memHighWaterMarkBytes",
];
const BREAKER_FIELDS: &[&str] = &[
    "id",
    "resource",
    "strategy",
    "retryTimeoutMs",
    "minRequestAmount",
    "statIntervalMs",
    "statSlidingWindowBucketCount",
    "maxAllowedRtMs",
    "threshold",
    "probeNum",
];
const ISOLATION_FIELDS: &[&str] = &["id", "resource", "metricType", "threshold"];
const SYSTEM_FIELDS: &[&str] = &["id", "metricType", "triggerCount", "strategy"];

const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
/// Sentinel's own buckets: twenty of them are kept.
const BUCKET_MS: u32 = 500;
const LONGEST_IN_BUCKETS_MS: u32 = 10_000;

/// All rules of a component.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) flow: Vec<FlowRule>,
    pub(super) breakers: Vec<BreakerRule>,
    pub(super) isolation: Vec<IsolationRule>,
    pub(super) system: Vec<SystemRule>,
}

/// How many requests of a resource may pass in an interval.
#[derive(Debug, PartialEq)]
pub(super) struct FlowRule {
    pub(super) resource: String,
    /// The resource whose requests are counted.
    pub(super) counted: String,
    pub(super) threshold: f64,
    /// Period and cold factor.
    pub(super) warm_up: Option<(Duration, f64)>,
    pub(super) behavior: Behavior,
    interval_ms: u32,
}

/// What happens to requests that are too many.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Behavior {
    Reject,
    /// They wait for at most this long.
    Queue(Duration),
}

/// When a resource is given a rest.
#[derive(Debug, PartialEq)]
pub(super) struct BreakerRule {
    pub(super) resource: String,
    pub(super) strategy: Strategy,
    pub(super) rest: Duration,
    pub(super) min_requests: u64,
    pub(super) interval: Duration,
    pub(super) buckets: u32,
    pub(super) threshold: f64,
    /// Requests that must succeed after a rest; with none, one at a time is tried.
    pub(super) probes: u64,
}

/// What is counted against a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    SlowRatio { longest: Duration },
    ErrorRatio,
    ErrorCount,
}

/// How many requests of a resource may run at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IsolationRule {
    pub(super) resource: String,
    pub(super) most: u32,
}

/// A bound of all requests together.
#[derive(Debug, PartialEq)]
pub(super) struct SystemRule {
    pub(super) metric: Metric,
    pub(super) bound: f64,
}

/// What is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    Load { adaptive: bool },
    AverageTime,
    Concurrency,
    Rate,
}

impl Metric {
    pub(super) fn is_load(self) -> bool {
        matches!(self, Self::Load { .. })
    }
}

impl Rules {
    /// # Errors
    /// A list that is no JSON array of rules, and the first rule that cannot be kept, with its number and the reason.
    pub(super) fn parse(metadata: &Metadata) -> Result<Self> {
        if !read::<Value>("hotSpotParamRules", &metadata.hot_spot_param_rules, None)?.is_empty() {
            let reason = "requests have no parameters that could be hot; remove the rules, which Dapr never applies";
            return Err(Error::invalid(format!("hotSpotParamRules cannot be kept: {reason}")));
        }
        Ok(Self {
            flow: parse("flowRules", &metadata.flow_rules, FLOW_FIELDS, WrittenFlow::check)?,
            breakers: parse(
                "circuitBreakerRules",
                &metadata.circuit_breaker_rules,
                BREAKER_FIELDS,
                WrittenBreaker::check,
            )?,
            isolation: parse("isolationRules", &metadata.isolation_rules, ISOLATION_FIELDS, WrittenIsolation::check)?,
            system: parse("systemRules", &metadata.system_rules, SYSTEM_FIELDS, WrittenSystem::check)?,
        })
    }
}

impl FlowRule {
    /// The interval that requests are counted over, and its buckets.
    pub(super) fn window(&self) -> (Duration, u32) {
        let ms = self.interval_ms;
        let interval = if ms == 0 { DEFAULT_INTERVAL } else { Duration::from_millis(ms.into()) };
        let buckets = match ms {
            0 => 2,
            ms if ms > LONGEST_IN_BUCKETS_MS || !ms.is_multiple_of(BUCKET_MS) => 1,
            ms => ms / BUCKET_MS,
        };
        (interval, buckets)
    }
}

type Checked<T> = std::result::Result<T, String>;

fn parse<W: DeserializeOwned, R>(
    property: &str,
    text: &str,
    fields: &'static [&'static str],
    check: fn(W) -> Checked<R>,
) -> Result<Vec<R>> {
    let rules = read(property, text, Some(fields))?.into_iter().enumerate();
    let name = |index: usize, reason: String| Error::invalid(format!("{property}: rule {}: {reason}", index + 1));
    rules.map(|(index, rule)| check(rule).map_err(|reason| name(index, reason))).collect()
}

/// Reads a list; names of fields are case-blind, as Go reads them, and null is nothing.
fn read<W: DeserializeOwned>(property: &str, text: &str, fields: Option<&[&str]>) -> Result<Vec<W>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let list: Option<Vec<Map<String, Value>>> = serde_json::from_str(text)
        .map_err(|error| Error::invalid(format!("{property} must be a JSON array of rules: {error}")))?;
    let rules = list.unwrap_or_default().into_iter().enumerate().map(|(index, rule)| {
        let rule = named(rule, fields).and_then(|rule| serde_json::from_value(rule).map_err(|error| error.to_string()));
        rule.map_err(|reason| Error::invalid(format!("{property}: rule {}: {reason}", index + 1)))
    });
    rules.collect()
}

fn named(rule: Map<String, Value>, fields: Option<&[&str]>) -> Checked<Value> {
    let Some(fields) = fields else { return Ok(Value::Object(rule)) };
    let given = rule.into_iter().filter(|(_, value)| !value.is_null());
    let named = given.map(|(name, value)| match fields.iter().find(|field| field.eq_ignore_ascii_case(&name)) {
        Some(field) => Ok(((*field).to_owned(), value)),
        None => Err(format!("there is no field {name}; a rule has {}", fields.join(", "))),
    });
    Ok(Value::Object(named.collect::<Checked<_>>()?))
}
