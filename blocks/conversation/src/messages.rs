//! From what the API has to what a model gets: roles, parts, scrubbing.
use crate::model::{Assistant, Input, Speech, Text, TextInput, ToolAnswer, ToolCall as AskedCall};
use crate::scrub::Scrubber;
use component_api::conversation::{Message, Part, Role, ToolCall, ToolResponse};

/// Texts as they are, or without what they tell of persons.
#[derive(Clone, Copy)]
struct Reader<'a>(Option<&'a Scrubber>);

/// The message of a text in the first form of the API.
pub(crate) fn of_text(input: &TextInput, scrubber: &Scrubber) -> Message {
    let reader = Reader(input.scrub.then_some(scrubber));
    Message { role: role(&input.role), parts: vec![Part::Text(reader.text(&input.content))] }
}

/// The messages of an input.
///
/// # Errors
/// What is missing, in words for the caller.
pub(crate) fn of_input(input: &Input, scrubber: &Scrubber) -> Result<Vec<Message>, &'static str> {
    let reader = Reader(input.scrub.then_some(scrubber));
    let message = |message: &crate::model::Message| match &message.0 {
        Some(speech) => reader.message(speech),
        None => Err("message type cannot be nil"),
    };
    input.messages.iter().map(message).collect()
}

fn role(name: &str) -> Role {
    match name {
        "system" => Role::System,
        "assistant" | "ai" => Role::Assistant,
        "tool" => Role::Tool,
        "function" => Role::Function,
        _ => Role::User,
    }
}

impl Reader<'_> {
    fn text(self, text: &str) -> String {
        self.0.map_or_else(|| text.to_owned(), |scrubber| scrubber.scrub(text))
    }

    fn message(self, speech: &Speech) -> Result<Message, &'static str> {
        let (role, parts) = match speech {
            Speech::Developer(content) => (Role::Developer, self.texts(&content.content)),
            Speech::System(content) => (Role::System, self.texts(&content.content)),
            Speech::User(content) => (Role::User, self.texts(&content.content)),
            Speech::Assistant(assistant) => (Role::Assistant, self.assistant(assistant)?),
            Speech::Tool(answer) => (Role::Tool, self.tool(answer)),
        };
        Ok(Message { role, parts })
    }

    fn texts(self, content: &[Text]) -> Vec<Part> {
        content.iter().map(|text| Part::Text(self.text(&text.text))).collect()
    }

    fn assistant(self, assistant: &Assistant) -> Result<Vec<Part>, &'static str> {
        let mut parts = self.texts(&assistant.content);
        for call in &assistant.tool_calls {
            parts.push(Part::ToolCall(called(call)?));
        }
        Ok(parts)
    }

    fn tool(self, answer: &ToolAnswer) -> Vec<Part> {
        let response = |text: &Text| ToolResponse {
            id: answer.tool_id.clone(),
            name: answer.name.clone(),
            content: self.text(&text.text),
        };
        answer.content.iter().map(|text| Part::ToolResponse(response(text))).collect()
    }
}

fn called(call: &AskedCall) -> Result<ToolCall, &'static str> {
    let function = call.function.as_ref().ok_or("tool types cannot be nil")?;
    Ok(ToolCall { id: call.id.clone(), name: function.name.clone(), arguments: function.arguments.clone() })
}
