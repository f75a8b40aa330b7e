//! What the app gets, in both forms of the API.
use component_api::conversation::Response;

/// What a model said in answer to texts, first choices only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// As the caller gave it.
    pub context_id: Option<String>,
    pub results: Vec<String>,
}

/// What a model said in answer to messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// As the caller gave it.
    pub context_id: Option<String>,
    pub response: Response,
}
