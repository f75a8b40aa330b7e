//! The row of an error in a table: both statuses, its names, and the metric category.
use axum::http::StatusCode;

/// Building block that an error is counted under in `dapr_error_code_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    Actor,
    Binding,
    Common,
    Configuration,
    Conversation,
    Crypto,
    Health,
    Job,
    Lock,
    PluggableComponent,
    Pubsub,
    Secret,
    ServiceInvocation,
    State,
    Workflow,
}

impl Category {
    /// The label value.
    pub fn label(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Binding => "binding",
            Self::Common => "common",
            Self::Configuration => "configuration",
            Self::Conversation => "conversation",
            Self::Crypto => "crypto",
            Self::Health => "health",
            Self::Job => "job",
            Self::Lock => "lock",
            Self::PluggableComponent => "pluggable-component",
            Self::Pubsub => "pubsub",
            Self::Secret => "secret",
            Self::ServiceInvocation => "service-invocation",
            Self::State => "state",
            Self::Workflow => "workflow",
        }
    }
}

/// Everything that is fixed about an error.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    pub http: StatusCode,
    pub grpc: tonic::Code,
    /// `errorCode` over HTTP, such as `ERR_STATE_GET`.
    pub tag: &'static str,
    /// Reason of the ErrorInfo, such as `DAPR_STATE_NOT_FOUND`; empty where the error has no rich form.
    pub reason: &'static str,
    pub category: Category,
}

impl Code {
    /// A row without a rich form.
    pub const fn new(http: StatusCode, grpc: tonic::Code, tag: &'static str, category: Category) -> Self {
        Self { http, grpc, tag, reason: "", category }
    }

    /// A row with the reason of its rich form.
    pub const fn rich(
        http: StatusCode,
        grpc: tonic::Code,
        tag: &'static str,
        reason: &'static str,
        category: Category,
    ) -> Self {
        Self { http, grpc, tag, reason, category }
    }

    /// The name that metrics count the error under: its tag, or the reason where it has none.
    pub fn name(&self) -> &'static str {
        if self.tag.is_empty() { self.reason } else { self.tag }
    }
}
