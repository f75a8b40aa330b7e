//! Why a component does not run, in the words that Dapr's users know (suite.md 4.5).
use super::category::Category;

/// Why a component does not run.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("process component {name} error: {reason}")]
    Process { name: String, reason: Box<Self> },
    #[error("incorrect type {kind}{advice}")]
    Category { kind: String, advice: String },
    #[error("[CREATE_COMPONENT_FAILURE]: initialization error occurred for {name}: {reason}")]
    Create { name: String, reason: String },
    #[error("[INIT_COMPONENT_FAILURE]: initialization error occurred for {name}: {reason}")]
    Init { name: String, reason: String },
}

impl Failure {
    /// Why a type that belongs to no building block is refused, with the one that was probably meant.
    pub(super) fn category(kind: &str) -> Self {
        let advice = Category::meant(kind).map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        Self::Category { kind: kind.to_owned(), advice }
    }
}
