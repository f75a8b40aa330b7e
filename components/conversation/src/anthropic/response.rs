//! What the API answers.
use super::request::form_name;
use crate::remote::read;
use component_api::conversation::{Choice, Output, PromptDetails, Response, ToolCall, Usage};
use component_api::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct MessagesResponse {
    #[serde(default)]
    content: Vec<Block>,
    stop_reason: Option<String>,
    usage: Option<Used>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    /// What the model thought, and what there may be one day.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Used {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    cache_read_input_tokens: Option<u64>,
}

/// One output with one choice.
///
/// # Errors
/// An answer of another form, an empty one, or one without the form that was asked for.
pub(super) fn decode(model: &str, form: Option<&Map<String, Value>>, answer: &[u8]) -> Result<Response> {
    let answer: MessagesResponse = read(answer)?;
    if answer.content.is_empty() {
        return Err(Error::other("empty response"));
    }
    let (content, tool_calls) = match form {
        Some(schema) => (formed(form_name(schema), answer.content)?, Vec::new()),
        None => said(answer.content),
    };
    let finish_reason = answer.stop_reason.unwrap_or_else(|| "unknown".to_owned());
    let choice = Choice { finish_reason, index: 0, content, tool_calls };
    let outputs = vec![Output { choices: vec![choice] }];
    Ok(Response { outputs, model: model.to_owned(), usage: answer.usage.and_then(used) })
}

fn said(blocks: Vec<Block>) -> (String, Vec<ToolCall>) {
    let (mut texts, mut calls) = (Vec::new(), Vec::new());
    for block in blocks {
        match block {
            Block::Text { text } => texts.push(text),
            Block::ToolUse { id, name, input } => calls.push(ToolCall { id, name, arguments: input.to_string() }),
            Block::Other => {}
        }
    }
    (texts.join("\n"), calls)
}

/// The arguments of the tool that stands for the form.
fn formed(form: &str, blocks: Vec<Block>) -> Result<String> {
    let arguments = |block| match block {
        Block::ToolUse { name, input, .. } if name == form => Some(input.to_string()),
        _ => None,
    };
    blocks.into_iter().find_map(arguments).ok_or_else(|| Error::other("the model did not answer in the form asked for"))
}

/// Nothing where nothing was counted.
fn used(usage: Used) -> Option<Usage> {
    let (prompt_tokens, completion_tokens) = (usage.input_tokens, usage.output_tokens);
    let total_tokens = prompt_tokens.saturating_add(completion_tokens);
    let cached = usage.cache_read_input_tokens.filter(|tokens| *tokens > 0);
    let prompt_details = cached.map(|cached_tokens| PromptDetails { cached_tokens, audio_tokens: 0 });
    let usage = Usage { completion_tokens, prompt_tokens, total_tokens, completion_details: None, prompt_details };
    (total_tokens > 0).then_some(usage)
}
