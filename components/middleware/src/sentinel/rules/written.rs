//! Rules in the words of sentinel-golang, and the checks of each.
use super::super::system;
use super::{Behavior, BreakerRule, Checked, FlowRule, IsolationRule, Metric, Strategy, SystemRule};
use serde::Deserialize;
use std::time::Duration;

const DEFAULT_COLD_FACTOR: u32 = 3;
const MOST_BUCKETS: u32 = 1000;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WrittenFlow {
    resource: String,
    token_calculate_strategy: i32,
    control_behavior: i32,
    threshold: f64,
    relation_strategy: i32,
    ref_resource: String,
    max_queueing_time_ms: u32,
    warm_up_period_sec: u32,
    warm_up_cold_factor: u32,
    stat_interval_in_ms: u32,
}

impl WrittenFlow {
    pub(super) fn check(self) -> Checked<FlowRule> {
        let warm_up = self.warm_up()?;
        let behavior = match self.control_behavior {
            0 => Behavior::Reject,
            1 => Behavior::Queue(Duration::from_millis(self.max_queueing_time_ms.into())),
            other => return Err(format!("controlBehavior {other} is unknown; it is 0 (reject) or 1 (queue)")),
        };
        let counted = match self.relation_strategy {
            0 => self.resource.clone(),
            1 => given("refResource", self.ref_resource)?,
            other => return Err(format!("relationStrategy {other} is unknown; it is 0 (itself) or 1 (refResource)")),
        };
        let (threshold, interval_ms) = (not_negative("threshold", self.threshold)?, self.stat_interval_in_ms);
        Ok(FlowRule { resource: given("resource", self.resource)?, counted, threshold, warm_up, behavior, interval_ms })
    }

    fn warm_up(&self) -> Checked<Option<(Duration, f64)>> {
        match (self.token_calculate_strategy, self.warm_up_period_sec, self.warm_up_cold_factor) {
            (0, ..) => Ok(None),
            (1, 0, _) => Err("warmUpPeriodSec must be greater than 0".to_owned()),
            (1, _, 1) => Err("warmUpColdFactor must be greater than 1".to_owned()),
            (1, period, factor) => {
                let factor = if factor == 0 { DEFAULT_COLD_FACTOR } else { factor };
                Ok(Some((Duration::from_secs(period.into()), factor.into())))
            }
            (2, ..) => Err("tokenCalculateStrategy 2 (by memory) is not supported; use 0 or 1".to_owned()),
            (other, ..) => Err(format!("tokenCalculateStrategy {other} is unknown; it is 0 (direct) or 1 (warm up)")),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WrittenBreaker {
    resource: String,
    strategy: u32,
    retry_timeout_ms: u32,
    min_request_amount: u64,
    stat_interval_ms: u32,
    stat_sliding_window_bucket_count: u32,
    max_allowed_rt_ms: u64,
    threshold: f64,
    probe_num: u64,
}

impl WrittenBreaker {
    pub(super) fn check(self) -> Checked<BreakerRule> {
        let threshold = not_negative("threshold", self.threshold)?;
        let strategy = match self.strategy {
            0 => Strategy::SlowRatio { longest: Duration::from_millis(self.max_allowed_rt_ms) },
            1 => Strategy::ErrorRatio,
            2 => Strategy::ErrorCount,
            other => return Err(format!("strategy {other} is unknown; it is 0 (slow), 1 (error ratio) or 2 (errors)")),
        };
        if strategy != Strategy::ErrorCount && threshold > 1.0 {
            return Err("threshold is a ratio, which is at most 1".to_owned());
        }
        Ok(BreakerRule {
            buckets: self.buckets()?,
            resource: given("resource", self.resource)?,
            strategy,
            rest: milliseconds("retryTimeoutMs", self.retry_timeout_ms)?,
            min_requests: self.min_request_amount,
            interval: milliseconds("statIntervalMs", self.stat_interval_ms)?,
            threshold,
            probes: self.probe_num,
        })
    }

    fn buckets(&self) -> Checked<u32> {
        match self.stat_sliding_window_bucket_count {
            0 => Ok(1),
            count if count > MOST_BUCKETS => Err(format!("statSlidingWindowBucketCount is at most {MOST_BUCKETS}")),
            count if self.stat_interval_ms.is_multiple_of(count) => Ok(count),
            _ => Err("statIntervalMs must be a multiple of statSlidingWindowBucketCount".to_owned()),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WrittenIsolation {
    resource: String,
    metric_type: i32,
    threshold: u32,
}

impl WrittenIsolation {
    pub(super) fn check(self) -> Checked<IsolationRule> {
        if self.metric_type != 0 {
            return Err(format!("metricType {} is unknown; it is 0 (concurrency)", self.metric_type));
        }
        if self.threshold == 0 {
            return Err("threshold must be greater than 0".to_owned());
        }
        Ok(IsolationRule { resource: given("resource", self.resource)?, most: self.threshold })
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WrittenSystem {
    metric_type: u32,
    trigger_count: f64,
    strategy: i32,
}

impl WrittenSystem {
    pub(super) fn check(self) -> Checked<SystemRule> {
        let metric = match self.metric_type {
            0 if system::load().is_none() => return Err("the load of this machine cannot be read".to_owned()),
            0 => Metric::Load { adaptive: self.strategy == 1 },
            1 => Metric::AverageTime,
            2 => Metric::Concurrency,
            3 => Metric::Rate,
            4 => return Err("metricType 4 (use of the processor) is not supported; use 0 (load)".to_owned()),
            other => return Err(format!("metricType {other} is unknown; it is 0 to 3")),
        };
        if !(-1..=1).contains(&self.strategy) {
            return Err(format!("strategy {} is unknown; it is -1, 0 (none) or 1 (adaptive)", self.strategy));
        }
        Ok(SystemRule { metric, bound: not_negative("triggerCount", self.trigger_count)? })
    }
}

fn given(field: &str, text: String) -> Checked<String> {
    if text.is_empty() { Err(format!("{field} is missing")) } else { Ok(text) }
}

fn not_negative(field: &str, number: f64) -> Checked<f64> {
    if number < 0.0 { Err(format!("{field} must not be negative")) } else { Ok(number) }
}

fn milliseconds(field: &str, number: u32) -> Checked<Duration> {
    if number == 0 { Err(format!("{field} must be greater than 0")) } else { Ok(Duration::from_millis(number.into())) }
}
