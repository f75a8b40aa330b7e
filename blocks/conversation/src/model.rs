//! What is asked of the service, as both forms of the API have it. Reading from JSON is that of protobuf messages.
use foundation_endpoint::proto_json::{duration, float, or_default};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// A conversation in the first form of the API: plain texts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ConverseTexts {
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    #[serde(rename = "contextID")]
    pub context_id: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub inputs: Vec<TextInput>,
    #[serde(rename = "scrubPII", deserialize_with = "or_default")]
    pub scrub: bool,
    #[serde(deserialize_with = "float")]
    pub temperature: f64,
}

/// One text of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TextInput {
    #[serde(deserialize_with = "or_default")]
    pub content: String,
    /// Who says it; anybody unknown is a user.
    #[serde(deserialize_with = "or_default")]
    pub role: String,
    #[serde(rename = "scrubPII", deserialize_with = "or_default")]
    pub scrub: bool,
}

/// A conversation in the second form of the API.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Converse {
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    #[serde(alias = "context_id")]
    pub context_id: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub inputs: Vec<Input>,
    #[serde(deserialize_with = "or_default")]
    pub metadata: BTreeMap<String, String>,
    /// Whether to scrub the answers.
    #[serde(rename = "scrubPii", alias = "scrub_pii", deserialize_with = "or_default")]
    pub scrub: bool,
    #[serde(deserialize_with = "float")]
    pub temperature: f64,
    #[serde(deserialize_with = "or_default")]
    pub tools: Vec<Tool>,
    /// Empty where there is none.
    #[serde(alias = "tool_choice", deserialize_with = "or_default")]
    pub tool_choice: String,
    #[serde(alias = "response_format")]
    pub response_format: Option<Map<String, Value>>,
    #[serde(alias = "prompt_cache_retention", deserialize_with = "duration")]
    pub prompt_cache_retention: Option<Duration>,
}

/// Messages that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Input {
    #[serde(deserialize_with = "or_default")]
    pub messages: Vec<Message>,
    /// Whether to scrub what the messages say.
    #[serde(rename = "scrubPii", alias = "scrub_pii", deserialize_with = "or_default")]
    pub scrub: bool,
}

/// A message, or nothing where the caller said none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Alternatives")]
pub struct Message(pub Option<Speech>);

/// What is said, by who says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speech {
    Developer(Content),
    System(Content),
    User(Content),
    Assistant(Assistant),
    Tool(ToolAnswer),
}

/// Texts of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Content {
    #[serde(deserialize_with = "or_default")]
    pub content: Vec<Text>,
}

/// A text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Text {
    #[serde(deserialize_with = "or_default")]
    pub text: String,
}

/// What a model said earlier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Assistant {
    #[serde(deserialize_with = "or_default")]
    pub content: Vec<Text>,
    #[serde(alias = "tool_calls", deserialize_with = "or_default")]
    pub tool_calls: Vec<ToolCall>,
}

/// What a tool answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ToolAnswer {
    #[serde(alias = "tool_id", deserialize_with = "or_default")]
    pub tool_id: String,
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    #[serde(deserialize_with = "or_default")]
    pub content: Vec<Text>,
}

/// A call that a model asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ToolCall {
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    pub function: Option<FunctionCall>,
}

/// A function with its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FunctionCall {
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    #[serde(deserialize_with = "or_default")]
    pub arguments: String,
}

/// Something that the model may have the app do.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Tool {
    pub function: Option<Function>,
}

/// A function of the app.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Function {
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    #[serde(deserialize_with = "or_default")]
    pub description: String,
    /// JSON schema of the arguments.
    #[serde(deserialize_with = "or_default")]
    pub parameters: Map<String, Value>,
}

/// A message as JSON has it, where only one member may be there.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Alternatives {
    #[serde(alias = "of_developer")]
    of_developer: Option<Content>,
    #[serde(alias = "of_system")]
    of_system: Option<Content>,
    #[serde(alias = "of_user")]
    of_user: Option<Content>,
    #[serde(alias = "of_assistant")]
    of_assistant: Option<Assistant>,
    #[serde(alias = "of_tool")]
    of_tool: Option<ToolAnswer>,
}

impl TryFrom<Alternatives> for Message {
    type Error = &'static str;

    fn try_from(message: Alternatives) -> Result<Self, Self::Error> {
        let Alternatives { of_developer, of_system, of_user, of_assistant, of_tool } = message;
        let all = [
            of_developer.map(Speech::Developer),
            of_system.map(Speech::System),
            of_user.map(Speech::User),
            of_assistant.map(Speech::Assistant),
            of_tool.map(Speech::Tool),
        ];
        let mut given = all.into_iter().flatten();
        let message = Self(given.next());
        if given.next().is_some() { Err("a message must be of one type only") } else { Ok(message) }
    }
}
