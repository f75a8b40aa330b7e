//! Resources: what users declare in YAML, as plain types; how they are read, checked and compared
//! (contract: surface.md section 3).
mod bounded;
mod common;
mod component;
mod configuration;
mod decode;
mod diff;
mod document;
mod environment;
mod files;
mod hints;
mod http_endpoint;
mod mcp_server;
mod problem;
mod resiliency;
mod set;
mod subscription;
mod validate;
mod workflow_access_policy;

pub use common::{Auth, DynamicValue, NameValue, ObjectMeta, Resource, SecretKeyRef};
pub use component::{Component, ComponentSpec};
pub use configuration::*;
pub use decode::{DecodeError, decode, member};
pub use diff::Diff;
pub use files::{load, load_text};
pub use http_endpoint::{HttpEndpoint, HttpEndpointSpec, Tls, TlsDocument};
pub use mcp_server::{
    Catalog, HookWorkflow, McpAuth, McpEndpoint, McpHook, McpHttp, McpMiddleware, McpOauth2, McpServer, McpServerSpec,
    McpStdio, Owner, Spiffe, SpiffeJwt,
};
pub use problem::{Error, Problem};
pub use resiliency::{
    ActorPolicies, CircuitBreaker, ComponentPolicies, EndpointPolicies, Policies, PolicyNames, Resiliency,
    ResiliencySpec, Retry, RetryMatching, Targets,
};
pub use set::{Loaded, Reader, Resources};
pub use subscription::{BulkSubscribe, Routes, Rule, Subscription, SubscriptionSpec};
pub use workflow_access_policy::{
    AccessRule, ActivityRule, Caller, WorkflowAccessPolicy, WorkflowAccessPolicySpec, WorkflowRule,
};

#[cfg(test)]
mod tests;
