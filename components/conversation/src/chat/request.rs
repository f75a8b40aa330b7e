//! What the API is sent.
use super::{Dialect, schema};
use crate::remote::json as written;
use bytes::Bytes;
use component_api::Result;
use component_api::conversation::{Message, Part, Request, Role, Tool, ToolCall, ToolChoice};
use foundation_metadata::GoDuration;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct ChatRequest<'a> {
    model: &'a str,
    messages: Vec<ChatMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ChatTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'a str, Cow<'a, str>>,
}

#[derive(Serialize)]
struct ChatMessage<'a> {
    role: &'static str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ChatCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

/// One text stands alone, several are a list.
#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<TextPart<'a>>),
}

#[derive(Serialize)]
struct TextPart<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: Cow<'a, str>,
}

#[derive(Serialize)]
struct ChatCall<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: CalledFunction<'a>,
}

#[derive(Serialize)]
struct CalledFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct ChatTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: ChatFunction<'a>,
}

#[derive(Serialize)]
struct ChatFunction<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: &'a Map<String, Value>,
}

/// The request as JSON.
///
/// # Errors
/// A temperature that is no number.
pub(super) fn encode(model: &str, dialect: Dialect, request: &Request) -> Result<Bytes> {
    written(&ChatRequest {
        model,
        messages: messages(model, &request.messages),
        temperature: (!has_own_temperature(model)).then_some(request.temperature),
        tools: request.tools.iter().map(tool).collect(),
        tool_choice: request.tool_choice.as_ref().map(choice),
        response_format: request.response_format.as_ref().map(schema::response_format),
        metadata: if dialect.no_metadata { BTreeMap::new() } else { metadata(request) },
    })
}

/// Models that reason refuse any temperature.
fn has_own_temperature(model: &str) -> bool {
    let is = |name: &str| model == name || model.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
    is("o1") || is("o3") || model.starts_with("gpt-5")
}

/// The first models that reason know no system: what it says goes to the first user.
fn knows_no_system(model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    let rest = model.strip_prefix("o1").or_else(|| model.strip_prefix("o3"));
    rest.is_some_and(|rest| matches!(rest, "" | "-mini" | "-preview"))
}

fn messages<'a>(model: &str, messages: &'a [Message]) -> Vec<ChatMessage<'a>> {
    if !knows_no_system(model) {
        return messages.iter().map(|one| message(one, None)).collect();
    }
    let mut system = system(messages);
    let others = messages.iter().filter(|message| message.role != Role::System);
    let with_system = |one: &'a Message| message(one, if role(one.role) == "user" { system.take() } else { None });
    others.map(with_system).collect()
}

/// All that a system says, with room to what the user says after it.
fn system(messages: &[Message]) -> Option<String> {
    let systems = messages.iter().filter(|message| message.role == Role::System);
    let said: Vec<_> = systems.flat_map(texts).collect();
    Some(format!("{}\n\n", said.join("\n\n"))).filter(|_| !said.is_empty())
}

fn message(message: &Message, before: Option<String>) -> ChatMessage<'_> {
    let before = before.map(Cow::Owned);
    let mut contents: Vec<_> = before.into_iter().chain(texts(message).into_iter().map(Cow::Borrowed)).collect();
    let content = match (contents.pop(), contents.is_empty()) {
        (None, _) => Content::Text(Cow::Borrowed("")),
        (Some(only), true) => Content::Text(only),
        (Some(last), false) => {
            let part = |text| TextPart { kind: "text", text };
            Content::Parts(contents.into_iter().chain([last]).map(part).collect())
        }
    };
    let calls = message.parts.iter().filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None });
    ChatMessage {
        role: role(message.role),
        content,
        tool_calls: calls.map(call).collect(),
        tool_call_id: answered(message),
    }
}

/// A developer counts as a user, as in Dapr.
fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer | Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
        Role::Function => "function",
    }
}

fn texts(message: &Message) -> Vec<&str> {
    message.parts.iter().filter_map(said).collect()
}

fn said(part: &Part) -> Option<&str> {
    match part {
        Part::Text(text) => Some(text),
        Part::ToolResponse(response) => Some(&response.content),
        Part::ToolCall(_) => None,
    }
}

/// The call that a tool's answer is for.
fn answered(message: &Message) -> Option<&str> {
    message.parts.iter().find_map(|part| match part {
        Part::ToolResponse(response) if !response.id.is_empty() => Some(response.id.as_str()),
        _ => None,
    })
}

fn call(call: &ToolCall) -> ChatCall<'_> {
    ChatCall {
        id: &call.id,
        kind: "function",
        function: CalledFunction { name: &call.name, arguments: &call.arguments },
    }
}

fn tool(tool: &Tool) -> ChatTool<'_> {
    let Tool { name, description, parameters } = tool;
    ChatTool { kind: "function", function: ChatFunction { name, description, parameters } }
}

fn choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

/// How long a prompt is kept is part of the metadata, as in Dapr.
fn metadata(request: &Request) -> BTreeMap<&str, Cow<'_, str>> {
    let given = request.metadata.iter().map(|(name, value)| (name.as_str(), Cow::Borrowed(value.as_str())));
    let retention = request.prompt_cache_retention.map(|time| GoDuration(time).to_string());
    given.chain(retention.map(|time| ("prompt_cache_retention", Cow::Owned(time)))).collect()
}
