//! What every model must show (components.md 4.8).
#![allow(clippy::expect_used, clippy::panic)] // A trial that fails ends its test.
use crate::trial::trial;
use component_api::Metadata;
use component_api::conversation::{
    Choice, Message, Model, Part, Request, Response, Role, Tool, ToolCall, ToolChoice, ToolResponse,
};
use serde_json::{Value, json};
use std::time::Duration;

/// Why a model may have ended.
const REASONS: [&str; 11] = [
    "stop",
    "end_turn",
    "FinishReasonStop",
    "tool_calls",
    "tool_use",
    "length",
    "max_tokens",
    "stop_sequence",
    "FINISH",
    "load",
    "unknown",
];

/// What a model promises beyond the rest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promises {
    /// Arguments of tool calls are JSON.
    pub json_arguments: bool,
    /// Answers have the form that is asked for.
    pub structured: bool,
}

/// Runs all trials.
///
/// # Panics
/// When the model fails one.
pub async fn run(model: &dyn Model, promises: Promises) {
    trial("conversation: one message", one_message(model)).await;
    trial("conversation: roles", roles(model)).await;
    trial("conversation: tools", tools(model, promises)).await;
    trial("conversation: tools of earlier", tools_of_earlier(model)).await;
    trial("conversation: settings", settings(model)).await;
    if promises.structured {
        trial("conversation: structured answer", structured(model)).await;
    }
}

async fn one_message(model: &dyn Model) {
    let choice = answer(model, vec![said(Role::User, "hello")]).await;
    assert!(!choice.content.is_empty() && choice.tool_calls.is_empty(), "a text: {choice:?}");
}

async fn roles(model: &dyn Model) {
    for first in [Role::System, Role::Developer, Role::Assistant] {
        let choice = answer(model, vec![said(first, "be short"), said(Role::User, "hello")]).await;
        assert!(!choice.content.is_empty(), "an answer after {first:?}");
    }
    let two = Message { role: Role::User, parts: ["one", "two"].map(|text| Part::Text(text.to_owned())).to_vec() };
    assert!(!answer(model, vec![two]).await.content.is_empty(), "an answer to two texts");
}

async fn tools(model: &dyn Model, promises: Promises) {
    let question = said(Role::User, "what is the weather in Berlin?");
    for choice in
        [None, Some(ToolChoice::Auto), Some(ToolChoice::Required), Some(ToolChoice::Named("weather".to_owned()))]
    {
        let request = Request {
            messages: vec![question.clone()],
            tools: vec![weather()],
            tool_choice: choice,
            ..Request::default()
        };
        let answer = only(&converse(model, &request).await);
        let call = answer.tool_calls.first().expect("a tool call");
        assert!(!call.id.is_empty() && call.name == "weather", "{call:?}");
        if promises.json_arguments {
            serde_json::from_str::<Value>(&call.arguments).expect("arguments are JSON");
        }
        let result = ToolResponse { id: call.id.clone(), name: call.name.clone(), content: "sunny".to_owned() };
        let called = Message { role: Role::Assistant, parts: vec![Part::ToolCall(call.clone())] };
        let result = Message { role: Role::Tool, parts: vec![Part::ToolResponse(result)] };
        let messages = vec![question.clone(), called, result];
        let request = Request { messages, tools: vec![weather()], ..Request::default() };
        assert!(!only(&converse(model, &request).await).content.is_empty(), "an answer to the tool's result");
    }
}

async fn tools_of_earlier(model: &dyn Model) {
    let call = ToolCall { id: "call_1".to_owned(), name: "weather".to_owned(), arguments: "{}".to_owned() };
    let result = ToolResponse { id: "call_1".to_owned(), name: "weather".to_owned(), content: "sunny".to_owned() };
    let parts = vec![Part::Text("let me see".to_owned()), Part::ToolCall(call)];
    let messages = vec![
        said(Role::User, "how is it in Berlin?"),
        Message { role: Role::Assistant, parts },
        Message { role: Role::Tool, parts: vec![Part::ToolResponse(result)] },
        said(Role::User, "and what shall I wear?"),
    ];
    assert!(!answer(model, messages).await.content.is_empty());
}

async fn settings(model: &dyn Model) {
    let request = Request {
        messages: vec![said(Role::User, "hello")],
        temperature: 0.7,
        metadata: Metadata::from([("user".to_owned(), "me".to_owned())]),
        prompt_cache_retention: Some(Duration::from_secs(24 * 3600)),
        ..Request::default()
    };
    assert!(!only(&converse(model, &request).await).content.is_empty());
}

async fn structured(model: &dyn Model) {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let request = Request {
        messages: vec![said(Role::User, "the capital of Germany?")],
        response_format: schema.as_object().cloned(),
        ..Request::default()
    };
    let content = only(&converse(model, &request).await).content;
    let answer: Value = serde_json::from_str(&content).expect("the answer is JSON");
    assert!(answer["city"].is_string(), "{answer}");
}

fn weather() -> Tool {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    Tool {
        name: "weather".to_owned(),
        description: "The weather in a city.".to_owned(),
        parameters: parameters.as_object().cloned().unwrap_or_default(),
    }
}

fn said(role: Role, text: &str) -> Message {
    Message { role, parts: vec![Part::Text(text.to_owned())] }
}

async fn answer(model: &dyn Model, messages: Vec<Message>) -> Choice {
    only(&converse(model, &Request { messages, ..Request::default() }).await)
}

async fn converse(model: &dyn Model, request: &Request) -> Response {
    let response = model.converse(request).await.expect("an answer");
    if let Some(usage) = &response.usage {
        assert!(usage.total_tokens > 0, "usage is counted where it is told");
    }
    response
}

fn only(response: &Response) -> Choice {
    let [output] = &response.outputs[..] else { panic!("one output: {response:?}") };
    let [choice] = &output.choices[..] else { panic!("one choice: {output:?}") };
    assert!(REASONS.contains(&choice.finish_reason.as_str()), "a known reason: {}", choice.finish_reason);
    choice.clone()
}
