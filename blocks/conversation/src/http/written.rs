//! Answers of the service as JSON has them: what is empty or zero is left out, as in protobuf's JSON.
use crate::answer::{Answer, Answers};
use component_api::conversation::{self, CompletionDetails, PromptDetails, Usage};
use foundation_endpoint::proto_json::{int64, is_default, or_default, uint64};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Parameters of a request, which its answers repeat.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Parameters {
    /// Messages by name, each with its `@type`.
    #[serde(deserialize_with = "or_default")]
    pub(super) parameters: Map<String, Value>,
}

/// Answers in the first form of the API.
#[derive(Serialize)]
pub(super) struct Texts<'a> {
    #[serde(rename = "contextID", skip_serializing_if = "Option::is_none")]
    context_id: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    outputs: Vec<Result<'a>>,
}

#[derive(PartialEq, Serialize)]
struct Result<'a> {
    #[serde(skip_serializing_if = "is_default")]
    result: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    parameters: &'a Map<String, Value>,
}

impl<'a> Texts<'a> {
    pub(super) fn of(answers: Answers, parameters: &'a Map<String, Value>) -> Self {
        let outputs = answers.results.into_iter().map(|result| Result { result, parameters }).collect();
        Self { context_id: answers.context_id, outputs }
    }
}

/// An answer in the second form of the API.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answered<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    context_id: Option<&'a str>,
    #[serde(skip_serializing_if = "is_default")]
    outputs: Vec<Output<'a>>,
}

#[derive(PartialEq, Serialize)]
struct Output<'a> {
    #[serde(skip_serializing_if = "is_default")]
    choices: Vec<Choice<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Used>,
}

#[derive(PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Choice<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    finish_reason: &'a str,
    #[serde(skip_serializing_if = "is_default", serialize_with = "int64")]
    index: i64,
    message: Message<'a>,
}

#[derive(PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    content: &'a str,
    #[serde(skip_serializing_if = "is_default")]
    tool_calls: Vec<ToolCall<'a>>,
}

#[derive(PartialEq, Serialize)]
struct ToolCall<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    function: Function<'a>,
}

#[derive(PartialEq, Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    arguments: &'a str,
}

#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    #[serde(skip_serializing_if = "is_default", serialize_with = "uint64")]
    completion_tokens: u64,
    #[serde(skip_serializing_if = "is_default", serialize_with = "uint64")]
    prompt_tokens: u64,
    #[serde(skip_serializing_if = "is_default", serialize_with = "uint64")]
    total_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<Completion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<Prompt>,
}

#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Completion {
    #[serde(skip_serializing_if = "is_default", serialize_with = "uint64")]
    accepted_prediction_tokens: u64,
    #[serde(skip_serializing_if = "is_default", serialize_with = "uint64")]
    audio_tokens: u64,
    #[serde(skip_serializing_if = "is_default", serialize_with = "uint64")]
    reasoning_tokens: u64,
    #[serde(skip_serializing_if = "is_default", serialize_with = "uint64")]
    rejected_prediction_tokens: u64,
}

#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Prompt {
    #[serde(skip_serializing_if = "is_default", serialize_with = "uint64")]
    audio_tokens: u64,
    #[serde(skip_serializing_if = "is_default", serialize_with = "uint64")]
    cached_tokens: u64,
}

impl<'a> From<&'a Answer> for Answered<'a> {
    fn from(answer: &'a Answer) -> Self {
        let conversation::Response { outputs, model, usage } = &answer.response;
        let usage = usage.as_ref().map(Used::from);
        let output = |output: &'a conversation::Output| Output {
            choices: output.choices.iter().map(Into::into).collect(),
            model,
            usage: usage.clone(),
        };
        Self { context_id: answer.context_id.as_deref(), outputs: outputs.iter().map(output).collect() }
    }
}

impl<'a> From<&'a conversation::Choice> for Choice<'a> {
    fn from(choice: &'a conversation::Choice) -> Self {
        let conversation::Choice { finish_reason, index, content, tool_calls } = choice;
        let message = Message { content, tool_calls: tool_calls.iter().map(Into::into).collect() };
        Self { finish_reason, index: *index, message }
    }
}

impl<'a> From<&'a conversation::ToolCall> for ToolCall<'a> {
    fn from(call: &'a conversation::ToolCall) -> Self {
        let conversation::ToolCall { id, name, arguments } = call;
        Self { id, function: Function { name, arguments } }
    }
}

impl From<&Usage> for Used {
    fn from(usage: &Usage) -> Self {
        Self {
            completion_tokens: usage.completion_tokens,
            prompt_tokens: usage.prompt_tokens,
            total_tokens: usage.total_tokens,
            completion_tokens_details: usage.completion_details.map(Into::into),
            prompt_tokens_details: usage.prompt_details.map(Into::into),
        }
    }
}

impl From<CompletionDetails> for Completion {
    fn from(details: CompletionDetails) -> Self {
        Self {
            accepted_prediction_tokens: details.accepted_prediction_tokens,
            audio_tokens: details.audio_tokens,
            reasoning_tokens: details.reasoning_tokens,
            rejected_prediction_tokens: details.rejected_prediction_tokens,
        }
    }
}

impl From<PromptDetails> for Prompt {
    fn from(details: PromptDetails) -> Self {
        Self { audio_tokens: details.audio_tokens, cached_tokens: details.cached_tokens }
    }
}
