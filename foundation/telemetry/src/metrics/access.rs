//! Access control, and error codes of the API.
use super::error::MetricsError;
use super::instruments::Counter;
use super::{Metrics, Registry};

pub(super) struct Access {
    app_allowed: Counter,
    app_blocked: Counter,
    global_allowed: Counter,
    global_blocked: Counter,
    workflow_allowed: Counter,
    workflow_denied: Counter,
    error_codes: Option<Counter>,
}

/// What access control decided on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclDecision<'a> {
    /// The caller.
    pub app_id: &'a str,
    pub trust_domain: &'a str,
    pub namespace: &'a str,
    pub allowed: bool,
    /// Decided by the policy for the app rather than by the default action.
    pub by_app_policy: bool,
}

impl Access {
    pub(super) fn new(registry: &Registry, record_error_codes: bool) -> Result<Self, MetricsError> {
        const CALLER: &[&str] = &["app_id", "trustDomain", "namespace"];
        const WORKFLOW: &[&str] = &["src_app_id", "operation", "type"];
        // The label `app_id` of these is the caller's.
        let callers = registry.without_fixed_labels();
        let by_caller = |name, help| callers.counter(name, help, CALLER);
        let error_codes = record_error_codes
            .then(|| registry.counter("error_code_total", "Errors of the API.", &["error_code", "category"]));
        Ok(Self {
            app_allowed: by_caller("runtime_acl_app_policy_action_allowed_total", "Calls allowed by an app's policy.")?,
            app_blocked: by_caller("runtime_acl_app_policy_action_blocked_total", "Calls blocked by an app's policy.")?,
            global_allowed: by_caller(
                "runtime_acl_global_policy_action_allowed_total",
                "Calls allowed by the default action.",
            )?,
            global_blocked: by_caller(
                "runtime_acl_global_policy_action_blocked_total",
                "Calls blocked by the default action.",
            )?,
            workflow_allowed: registry.counter(
                "runtime_workflow_acl_action_allowed_total",
                "Workflow operations that were allowed.",
                WORKFLOW,
            )?,
            workflow_denied: registry.counter(
                "runtime_workflow_acl_action_denied_total",
                "Workflow operations that were denied.",
                WORKFLOW,
            )?,
            error_codes: error_codes.transpose()?,
        })
    }
}

impl Metrics {
    /// `dapr_runtime_acl_*`: access control decided on a call.
    pub fn access_decided(&self, decision: AclDecision<'_>) {
        let Some(groups) = &self.groups else { return };
        let access = &groups.access;
        let counter = match (decision.by_app_policy, decision.allowed) {
            (true, true) => &access.app_allowed,
            (true, false) => &access.app_blocked,
            (false, true) => &access.global_allowed,
            (false, false) => &access.global_blocked,
        };
        counter.increment(&[decision.app_id, decision.trust_domain, decision.namespace]);
    }

    /// `dapr_runtime_workflow_acl_*`: a workflow access policy decided on an operation of another app.
    pub fn workflow_access_decided(&self, from_app_id: &str, operation: &str, kind: &str, allowed: bool) {
        let Some(groups) = &self.groups else { return };
        let counter = if allowed { &groups.access.workflow_allowed } else { &groups.access.workflow_denied };
        counter.increment(&[from_app_id, operation, kind]);
    }

    /// `dapr_error_code_total`: the API answered with an error; kept only when configured.
    pub fn error_code(&self, code: &str, category: &str) {
        let Some(counter) = self.groups.as_ref().and_then(|groups| groups.access.error_codes.as_ref()) else { return };
        if !code.is_empty() && !category.is_empty() {
            counter.increment(&[code, category]);
        }
    }
}
