//! What the API is sent.
use crate::chat::closed;
use crate::remote::json;
use bytes::Bytes;
use component_api::conversation::{Message, Part, Request, Role, ToolChoice};
use component_api::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Name of the tool that stands for the form of an answer, where the schema has none.
const FORM: &str = "response";

#[derive(Serialize)]
struct MessagesRequest<'a> {
    model: &'a str,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    system: String,
    max_tokens: u32,
    temperature: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<OfferedTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text { text: &'a str },
    ToolUse { id: &'a str, name: &'a str, input: Map<String, Value> },
    ToolResult { tool_use_id: &'a str, content: &'a str },
}

#[derive(Serialize)]
struct OfferedTool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    input_schema: Value,
}

/// The request as JSON.
///
/// # Errors
/// Arguments of an earlier tool call that are no JSON object.
pub(super) fn encode(model: &str, max_tokens: u32, request: &Request) -> Result<Bytes> {
    let form = request.response_format.as_ref();
    let offered = request.tools.iter().map(|tool| OfferedTool {
        name: &tool.name,
        description: &tool.description,
        input_schema: input_schema(&tool.parameters),
    });
    let turns = request.messages.iter().filter(|message| message.role != Role::System);
    let tool_choice = match form {
        Some(schema) => Some(json!({"type": "tool", "name": form_name(schema)})),
        None => request.tool_choice.as_ref().filter(|_| !request.tools.is_empty()).map(choice),
    };
    json(&MessagesRequest {
        model,
        messages: turns.map(turn).collect::<Result<_>>()?,
        system: system(&request.messages),
        max_tokens,
        temperature: request.temperature,
        tools: offered.chain(form.map(form_tool)).collect(),
        tool_choice,
    })
}

/// The API has no forms of answers: the model is made to call a tool whose arguments have the form.
fn form_tool(schema: &Map<String, Value>) -> OfferedTool<'_> {
    let mut inner = schema.clone();
    inner.retain(|name, _| !matches!(name.as_str(), "name" | "strict"));
    let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    OfferedTool { name: form_name(schema), description, input_schema: closed(Value::Object(inner)) }
}

/// The name of that tool.
pub(super) fn form_name(schema: &Map<String, Value>) -> &str {
    schema.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()).unwrap_or(FORM)
}

/// A schema must say that it is one of an object.
fn input_schema(parameters: &Map<String, Value>) -> Value {
    let mut schema = parameters.clone();
    schema.entry("type").or_insert_with(|| "object".into());
    Value::Object(schema)
}

fn system(messages: &[Message]) -> String {
    let parts = messages.iter().filter(|message| message.role == Role::System).flat_map(|message| &message.parts);
    let texts: Vec<_> =
        parts.filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None }).collect();
    texts.join("\n\n")
}

fn turn(message: &Message) -> Result<Turn<'_>> {
    let role = if message.role == Role::Assistant { "assistant" } else { "user" };
    Ok(Turn { role, content: message.parts.iter().filter(|part| !is_empty(part)).map(block).collect::<Result<_>>()? })
}

/// The API refuses texts without characters.
fn is_empty(part: &Part) -> bool {
    matches!(part, Part::Text(text) if text.is_empty())
}

fn block(part: &Part) -> Result<Block<'_>> {
    match part {
        Part::Text(text) => Ok(Block::Text { text }),
        Part::ToolResponse(response) => Ok(Block::ToolResult { tool_use_id: &response.id, content: &response.content }),
        Part::ToolCall(call) => {
            let arguments = if call.arguments.is_empty() { "{}" } else { call.arguments.as_str() };
            let refusal = |error| {
                Error::invalid(format!("the arguments of the call of tool {} are no JSON object", call.name))
                    .with_source(error)
            };
            let input = serde_json::from_str(arguments).map_err(refusal)?;
            Ok(Block::ToolUse { id: &call.id, name: &call.name, input })
        }
    }
}

fn choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!({"type": "auto"}),
        ToolChoice::None => json!({"type": "none"}),
        ToolChoice::Required => json!({"type": "any"}),
        ToolChoice::Named(name) => json!({"type": "tool", "name": name}),
    }
}
