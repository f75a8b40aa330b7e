//! What the API answers.
use crate::remote::read;
use component_api::conversation::{Choice, CompletionDetails, Output, PromptDetails, Response, ToolCall, Usage};
use component_api::{Error, Result};
use serde::Deserialize;

#[derive(Deserialize)]
struct ChatResponse {
    #[serde(default)]
    choices: Vec<ChatChoice>,
    usage: Option<ChatUsage>,
}

#[derive(Deserialize)]
struct ChatChoice {
    #[serde(default)]
    message: ChatMessage,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct ChatMessage {
    content: Option<String>,
    tool_calls: Option<Vec<ChatCall>>,
}

#[derive(Deserialize)]
struct ChatCall {
    id: Option<String>,
    function: ChatFunction,
}

#[derive(Deserialize)]
struct ChatFunction {
    name: String,
    #[serde(default)]
    arguments: String,
}

#[derive(Deserialize)]
struct ChatUsage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    #[serde(default)]
    total_tokens: u64,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: Option<Details>,
}

#[derive(Default, Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    accepted_prediction_tokens: Option<u64>,
    rejected_prediction_tokens: Option<u64>,
}

/// Each choice is an output of its own, as in Dapr.
///
/// # Errors
/// An answer of another form, or without any choice.
pub(super) fn decode(model: &str, answer: &[u8]) -> Result<Response> {
    let answer: ChatResponse = read(answer)?;
    if answer.choices.is_empty() {
        return Err(Error::other("empty response"));
    }
    let output = |(index, given)| Output { choices: vec![choice(index, given)] };
    Ok(Response {
        outputs: (0..).zip(answer.choices).map(output).collect(),
        model: model.to_owned(),
        usage: answer.usage.and_then(used),
    })
}

fn choice(index: i64, given: ChatChoice) -> Choice {
    let ChatMessage { content, tool_calls } = given.message;
    let finish_reason = given.finish_reason.filter(|reason| !reason.is_empty());
    Choice {
        finish_reason: finish_reason.unwrap_or_else(|| "unknown".to_owned()),
        index,
        content: content.unwrap_or_default(),
        tool_calls: tool_calls.unwrap_or_default().into_iter().map(Into::into).collect(),
    }
}

impl From<ChatCall> for ToolCall {
    fn from(call: ChatCall) -> Self {
        let ChatFunction { name, arguments } = call.function;
        Self { id: call.id.unwrap_or_default(), name, arguments }
    }
}

/// Nothing where nothing was counted.
fn used(usage: ChatUsage) -> Option<Usage> {
    let ChatUsage { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details, completion_tokens_details } =
        usage;
    if prompt_tokens == 0 && completion_tokens == 0 && total_tokens == 0 {
        return None;
    }
    let (completion, prompt) =
        (completion_tokens_details.unwrap_or_default(), prompt_tokens_details.unwrap_or_default());
    let completion_details = CompletionDetails {
        accepted_prediction_tokens: completion.accepted_prediction_tokens.unwrap_or_default(),
        audio_tokens: completion.audio_tokens.unwrap_or_default(),
        reasoning_tokens: completion.reasoning_tokens.unwrap_or_default(),
        rejected_prediction_tokens: completion.rejected_prediction_tokens.unwrap_or_default(),
    };
    let prompt_details = PromptDetails {
        audio_tokens: prompt.audio_tokens.unwrap_or_default(),
        cached_tokens: prompt.cached_tokens.unwrap_or_default(),
    };
    Some(Usage {
        completion_tokens,
        prompt_tokens,
        total_tokens,
        completion_details: Some(completion_details).filter(|details| *details != CompletionDetails::default()),
        prompt_details: Some(prompt_details).filter(|details| *details != PromptDetails::default()),
    })
}
