//! Large language models.
use crate::{Metadata, Result};
use async_trait::async_trait;
use serde_json::{Map, Value};
use std::time::Duration;

/// What is said to a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    pub messages: Vec<Message>,
    /// What the model may have the caller do.
    pub tools: Vec<Tool>,
    pub tool_choice: Option<ToolChoice>,
    /// 0 where the caller named none.
    pub temperature: f64,
    /// For the model, not for the component.
    pub metadata: Metadata,
    /// JSON schema of the answer.
    pub response_format: Option<Map<String, Value>>,
    /// How long the model may keep the beginning of the conversation at hand.
    pub prompt_cache_retention: Option<Duration>,
}

/// Who says something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    Developer,
    System,
    #[default]
    User,
    Assistant,
    Tool,
    Function,
}

/// One message of the conversation so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub role: Role,
    pub parts: Vec<Part>,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Text(String),
    ToolCall(ToolCall),
    ToolResponse(ToolResponse),
}

/// A model wants a tool to be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// Empty where there is none.
    pub id: String,
    pub name: String,
    /// JSON, or what the model took for it.
    pub arguments: String,
}

/// What a tool said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolResponse {
    /// Id of the call.
    pub id: String,
    pub name: String,
    pub content: String,
}

/// A function that the caller offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tool {
    pub name: String,
    pub description: String,
    /// JSON schema of the arguments.
    pub parameters: Map<String, Value>,
}

/// Whether a model is to use tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    Auto,
    None,
    /// Any, but one at least.
    Required,
    /// The tool of that name.
    Named(String),
}

/// What the model said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    pub outputs: Vec<Output>,
    /// Empty where the component does not tell.
    pub model: String,
    pub usage: Option<Usage>,
}

/// One answer, perhaps in several versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    pub choices: Vec<Choice>,
}

/// A version of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Such as `stop` or `tool_calls`.
    pub finish_reason: String,
    pub index: i64,
    pub content: String,
    pub tool_calls: Vec<ToolCall>,
}

/// Tokens that were used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub completion_tokens: u64,
    pub prompt_tokens: u64,
    pub total_tokens: u64,
    pub completion_details: Option<CompletionDetails>,
    pub prompt_details: Option<PromptDetails>,
}

/// Of the tokens of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompletionDetails {
    pub accepted_prediction_tokens: u64,
    pub audio_tokens: u64,
    pub reasoning_tokens: u64,
    pub rejected_prediction_tokens: u64,
}

/// Of the tokens of what was said to the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromptDetails {
    pub audio_tokens: u64,
    pub cached_tokens: u64,
}

/// A model that answers a conversation.
#[async_trait]
pub trait Model: Send + Sync {
    /// The model's answer to a conversation. It remembers nothing of earlier ones.
    async fn converse(&self, request: &Request) -> Result<Response>;

    /// Ends background work and connections.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
