//! WorkflowAccessPolicy v1alpha1: who may do what with workflows (surface.md 3.8).
use crate::common::{ObjectMeta, Resource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may do what with the workflows of an app. As soon as there is one, what no rule allows is denied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WorkflowAccessPolicy {
    /// Name and namespace.
    pub metadata: ObjectMeta,
    /// The rules.
    pub spec: WorkflowAccessPolicySpec,
    /// Ids of the apps whose workflows it is about; empty is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// Rules of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WorkflowAccessPolicySpec {
    /// A call is allowed when one rule allows it.
    pub rules: Vec<AccessRule>,
}

/// What some callers may do. It has workflows, activities or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AccessRule {
    /// Apps that the rule is for, at least one.
    pub callers: Vec<Caller>,
    /// Operations on workflows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workflows: Vec<WorkflowRule>,
    /// Activities to schedule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub activities: Vec<ActivityRule>,
}

/// An app that calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Caller {
    /// Id of the app. Required.
    #[serde(rename = "appID")]
    pub app_id: String,
}

/// Operations on workflows of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WorkflowRule {
    /// Name or glob. Required.
    pub name: String,
    /// At least one of schedule, terminate, raise, pause, resume, purge, get, rerun.
    pub operations: Vec<String>,
}

/// Activities of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ActivityRule {
    /// Name or glob. Required.
    pub name: String,
}

impl Resource for WorkflowAccessPolicy {
    const KIND: &'static str = "WorkflowAccessPolicy";
    const API_VERSIONS: &'static [&'static str] = &["dapr.io/v1alpha1"];

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn scopes(&self) -> &[String] {
        &self.scopes
    }
}
