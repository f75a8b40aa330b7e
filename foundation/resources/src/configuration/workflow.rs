//! Limits of workflows.
use foundation_metadata::GoDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits of workflows. A limit that is not set or 0 is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Workflow {
    /// Most workflows that run in this sidecar at the same time.
    pub max_concurrent_workflow_invocations: i32,
    /// Most activities that run in this sidecar at the same time.
    pub max_concurrent_activity_invocations: i32,
    /// Most workflows of the app that run at the same time, in all its sidecars.
    pub global_max_concurrent_workflow_invocations: Option<i32>,
    /// Most activities of the app that run at the same time, in all its sidecars.
    pub global_max_concurrent_activity_invocations: Option<i32>,
    /// Most workflows of a name.
    pub workflow_concurrency_limits: Vec<ConcurrencyLimit>,
    /// Most activities of a name.
    pub activity_concurrency_limits: Vec<ConcurrencyLimit>,
    /// How long ended workflows are kept.
    pub state_retention_policy: Option<StateRetention>,
}

/// Most workflows or activities of a name that run at the same time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ConcurrencyLimit {
    /// Name of the workflow or activity.
    pub name: String,
    /// The limit.
    pub max_concurrent: i32,
}

/// How long ended workflows are kept; for ever when not set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct StateRetention {
    /// After any end that has no duration of its own.
    pub any_terminal: Option<GoDuration>,
    /// After success.
    pub completed: Option<GoDuration>,
    /// After failure.
    pub failed: Option<GoDuration>,
    /// After termination.
    pub terminated: Option<GoDuration>,
}
