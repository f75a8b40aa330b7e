//! `conversation.echo`: answers with what it was asked, for tests (components.md 1.4).
use async_trait::async_trait;
use component_api::conversation::{
    Choice, Model, Output, Part, Request, Response, Tool, ToolCall, ToolResponse, Usage,
};
use component_api::{Descriptor, Error, Registry, Result, Status};
use serde_json::Value;
use std::sync::Arc;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["echo"],
        versions: &["v1"],
        status: Status::Alpha,
        summary: "Answers with what it was asked; for tests.",
        schema: || schemars::schema_for!(NoMetadata),
    };
    registry.conversation.add(descriptor, |_| async {
        let model: Arc<dyn Model> = Arc::new(Echo);
        Ok(model)
    });
}

/// There is nothing to set.
#[derive(schemars::JsonSchema)]
struct NoMetadata {}

/// Joins the texts of all messages, and calls every tool that it is offered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

#[async_trait]
impl Model for Echo {
    async fn converse(&self, request: &Request) -> Result<Response> {
        let mut tool_calls = Vec::new();
        for (number, tool) in request.tools.iter().enumerate() {
            tool_calls.push(call(number, tool)?);
        }
        let mut texts = Vec::new();
        for part in request.messages.iter().flat_map(|message| &message.parts) {
            match part {
                Part::Text(text) => texts.push(text.clone()),
                Part::ToolCall(call) => tool_calls.push(call.clone()),
                Part::ToolResponse(response) => texts.push(shown(response)),
            }
        }
        Ok(response(texts.join("\n"), tool_calls))
    }
}

/// The arguments are the sorted names of the tool's parameters.
fn call(number: usize, tool: &Tool) -> Result<ToolCall> {
    let mut names = match tool.parameters.get("properties") {
        None => Vec::new(),
        Some(Value::Object(properties)) => properties.keys().map(String::as_str).collect(),
        Some(_) => return Err(Error::invalid(format!("the properties of tool {} must be an object", tool.name))),
    };
    names.sort_unstable();
    Ok(ToolCall { id: number.to_string(), name: tool.name.clone(), arguments: names.join(",") })
}

fn shown(response: &ToolResponse) -> String {
    let ToolResponse { id, name, content } = response;
    format!("Tool Response for tool ID '{id}' with name '{name}': {content}")
}

/// A word counts as a token.
fn response(content: String, tool_calls: Vec<ToolCall>) -> Response {
    let tokens = content.split_whitespace().count() as u64;
    let usage =
        Usage { completion_tokens: tokens, prompt_tokens: tokens, total_tokens: 2 * tokens, ..Usage::default() };
    let finish_reason = if tool_calls.is_empty() { "stop" } else { "tool_calls" }.to_owned();
    let choice = Choice { finish_reason, index: 0, content, tool_calls };
    Response { outputs: vec![Output { choices: vec![choice] }], model: String::new(), usage: Some(usage) }
}
