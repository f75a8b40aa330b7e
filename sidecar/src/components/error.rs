//! Why a component does not run, in the words that Dapr's users know (suite.md 4.5).

/// Why a component does not run.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("process component {name} error: {reason}")]
    Process { name: String, reason: Box<Self> },
    #[error("incorrect type {0}")]
    Category(String),
    #[error("[CREATE_COMPONENT_FAILURE]: initialization error occurred for {name}: {reason}")]
    Create { name: String, reason: String },
    #[error("[INIT_COMPONENT_FAILURE]: initialization error occurred for {name}: {reason}")]
    Init { name: String, reason: String },
}
