//! Actors: placement, life, locks, timers and reminders.
use super::error::MetricsError;
use super::instruments::{Counter, Gauge};
use super::operations::text;
use super::{Metrics, Registry};

pub(super) struct Actors {
    reported: Counter,
    report_failed: Counter,
    table_operations: Counter,
    rebalanced: Counter,
    deactivated: Counter,
    deactivation_failed: Counter,
    pending_calls: Gauge,
    timers: Gauge,
    reminders: Gauge,
    timers_fired: Counter,
    reminders_fired: Counter,
}

impl Actors {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        const TYPE: &[&str] = &["actor_type"];
        const OPERATION: &[&str] = &["actor_type", "operation"];
        const FIRED: &[&str] = &["actor_type", "success"];
        let counter = |name: &str, help, labels| registry.counter(&format!("runtime_actor_{name}"), help, labels);
        let gauge = |name: &str, help| registry.gauge(&format!("runtime_actor_{name}"), help, TYPE);
        Ok(Self {
            reported: counter("status_report_total", "Reports to placement.", OPERATION)?,
            report_failed: counter(
                "status_report_fail_total",
                "Reports to placement that failed.",
                &["actor_type", "operation", "reason"],
            )?,
            table_operations: counter("table_operation_recv_total", "Operations received from placement.", OPERATION)?,
            rebalanced: counter("rebalanced_total", "Actors that moved to another host.", TYPE)?,
            deactivated: counter("deactivated_total", "Actors that were deactivated.", TYPE)?,
            deactivation_failed: counter("deactivated_failed_total", "Deactivations that failed.", TYPE)?,
            pending_calls: gauge("pending_actor_calls", "Calls that wait for the lock of their actor.")?,
            timers: gauge("timers", "Timers of actors.")?,
            reminders: gauge("reminders", "Reminders of actors.")?,
            timers_fired: counter("timers_fired_total", "Timers that fired.", FIRED)?,
            reminders_fired: counter("reminders_fired_total", "Reminders that fired.", FIRED)?,
        })
    }
}

impl Metrics {
    /// `dapr_runtime_actor_status_report_total`
    pub fn actor_status_reported(&self, operation: &str) {
        if let Some(groups) = &self.groups {
            groups.actors.reported.increment(&["", operation]);
        }
    }

    /// `dapr_runtime_actor_status_report_fail_total`
    pub fn actor_status_report_failed(&self, operation: &str, reason: &str) {
        if let Some(groups) = &self.groups {
            groups.actors.report_failed.increment(&["", operation, reason]);
        }
    }

    /// `dapr_runtime_actor_table_operation_recv_total`
    pub fn actor_table_operation_received(&self, operation: &str) {
        if let Some(groups) = &self.groups {
            groups.actors.table_operations.increment(&["", operation]);
        }
    }

    /// `dapr_runtime_actor_rebalanced_total`
    pub fn actor_rebalanced(&self, actor_type: &str) {
        if let Some(groups) = &self.groups {
            groups.actors.rebalanced.increment(&[actor_type]);
        }
    }

    /// `dapr_runtime_actor_deactivated_total`, or `_failed_total`.
    pub fn actor_deactivated(&self, actor_type: &str, success: bool) {
        let Some(groups) = &self.groups else { return };
        let counter = if success { &groups.actors.deactivated } else { &groups.actors.deactivation_failed };
        counter.increment(&[actor_type]);
    }

    /// `dapr_runtime_actor_pending_actor_calls`: so many more calls wait, or fewer.
    pub fn actor_pending_calls(&self, actor_type: &str, change: i64) {
        if let Some(groups) = &self.groups {
            groups.actors.pending_calls.add(&[actor_type], change);
        }
    }

    /// `dapr_runtime_actor_timers`
    pub fn actor_timers(&self, actor_type: &str, count: i64) {
        if let Some(groups) = &self.groups {
            groups.actors.timers.set(&[actor_type], count);
        }
    }

    /// `dapr_runtime_actor_reminders`
    pub fn actor_reminders(&self, actor_type: &str, count: i64) {
        if let Some(groups) = &self.groups {
            groups.actors.reminders.set(&[actor_type], count);
        }
    }

    /// `dapr_runtime_actor_timers_fired_total`
    pub fn actor_timer_fired(&self, actor_type: &str, success: bool) {
        if let Some(groups) = &self.groups {
            groups.actors.timers_fired.increment(&[actor_type, text(success)]);
        }
    }

    /// `dapr_runtime_actor_reminders_fired_total`
    pub fn actor_reminder_fired(&self, actor_type: &str, success: bool) {
        if let Some(groups) = &self.groups {
            groups.actors.reminders_fired.increment(&[actor_type, text(success)]);
        }
    }
}
