//! The kinds of components.

/// What a component is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    State,
    Pubsub,
    Secret,
    Binding,
    Configuration,
    Lock,
    Crypto,
    Conversation,
    Middleware,
    /// One that this build has no components of.
    Absent,
}

impl Category {
    /// The category of a full type such as `state.redis`.
    pub(crate) fn of(kind: &str) -> Option<Self> {
        match kind.split_once('.')?.0 {
            "state" => Some(Self::State),
            "pubsub" => Some(Self::Pubsub),
            "secretstores" => Some(Self::Secret),
            "bindings" => Some(Self::Binding),
            "configuration" => Some(Self::Configuration),
            "lock" => Some(Self::Lock),
            "crypto" => Some(Self::Crypto),
            "conversation" => Some(Self::Conversation),
            "middleware" => Some(Self::Middleware),
            "workflowbackend" | "nameresolution" => Some(Self::Absent),
            // Dapr takes no `workflow` components.
            _ => None,
        }
    }

    /// What Dapr calls a component of the category that it does not know.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::State => "state store",
            Self::Pubsub => "message bus",
            Self::Secret => "secret store",
            Self::Binding => "binding",
            Self::Configuration => "configuration store",
            Self::Lock => "lock store",
            Self::Crypto => "crypto provider",
            Self::Conversation => "conversation component",
            Self::Middleware => "HTTP middleware",
            Self::Absent => "component",
        }
    }
}
