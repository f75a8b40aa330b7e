//! The kinds of components.
use foundation_metadata::meant;

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

/// What full types begin with. Dapr takes no `workflow` components.
const PREFIXES: [(&str, Category); 11] = [
    ("state", Category::State),
    ("pubsub", Category::Pubsub),
    ("secretstores", Category::Secret),
    ("bindings", Category::Binding),
    ("configuration", Category::Configuration),
    ("lock", Category::Lock),
    ("crypto", Category::Crypto),
    ("conversation", Category::Conversation),
    ("middleware", Category::Middleware),
    ("workflowbackend", Category::Absent),
    ("nameresolution", Category::Absent),
];

impl Category {
    /// The category of a full type such as `state.redis`.
    pub(crate) fn of(kind: &str) -> Option<Self> {
        let prefix = kind.split_once('.')?.0;
        PREFIXES.iter().find(|(known, _)| *known == prefix).map(|(_, category)| *category)
    }

    /// The type that was probably meant by one that has no category, such as `state.redis` for `stat.redis`.
    pub(crate) fn meant(kind: &str) -> Option<String> {
        let (prefix, rest) = kind.split_once('.')?;
        meant(prefix, PREFIXES.map(|(known, _)| known)).map(|meant| format!("{meant}.{rest}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_with_a_typing_error_is_told() {
        assert_eq!(Category::meant("stat.redis").as_deref(), Some("state.redis"));
        assert_eq!(Category::meant("secretstore.local.file").as_deref(), Some("secretstores.local.file"));
        assert_eq!([Category::meant("workflow.dapr"), Category::meant("redis")], [None, None]);
    }
}
