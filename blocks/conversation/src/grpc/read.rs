//! Requests of the gRPC API as the service takes them.
use crate::model::{
    Assistant, Content, Converse, ConverseTexts, Function, FunctionCall, Input, Message, Speech, Text, TextInput, Tool,
    ToolAnswer, ToolCall,
};
use foundation_json::of_protobuf;
use prost_types::Struct;
use serde_json::{Map, Value};
use wire::runtime::v1;
use wire::runtime::v1::conversation_message::MessageTypes;
use wire::runtime::v1::conversation_tool_calls::ToolTypes as CallTypes;
use wire::runtime::v1::conversation_tools::ToolTypes;

impl From<v1::ConversationRequest> for ConverseTexts {
    fn from(request: v1::ConversationRequest) -> Self {
        Self {
            name: request.name,
            context_id: request.context_id,
            inputs: request.inputs.into_iter().map(Into::into).collect(),
            scrub: request.scrub_pii.unwrap_or_default(),
            temperature: request.temperature.unwrap_or_default(),
        }
    }
}

impl From<v1::ConversationInput> for TextInput {
    fn from(input: v1::ConversationInput) -> Self {
        let v1::ConversationInput { content, role, scrub_pii } = input;
        Self { content, role: role.unwrap_or_default(), scrub: scrub_pii.unwrap_or_default() }
    }
}

impl From<v1::ConversationRequestAlpha2> for Converse {
    fn from(request: v1::ConversationRequestAlpha2) -> Self {
        Self {
            name: request.name,
            context_id: request.context_id,
            inputs: request.inputs.into_iter().map(Into::into).collect(),
            metadata: request.metadata.into_iter().collect(),
            scrub: request.scrub_pii.unwrap_or_default(),
            temperature: request.temperature.unwrap_or_default(),
            tools: request.tools.into_iter().map(Into::into).collect(),
            tool_choice: request.tool_choice.unwrap_or_default(),
            response_format: request.response_format.map(members),
            prompt_cache_retention: request.prompt_cache_retention.and_then(|time| time.try_into().ok()),
        }
    }
}

impl From<v1::ConversationInputAlpha2> for Input {
    fn from(input: v1::ConversationInputAlpha2) -> Self {
        let messages = input.messages.into_iter().map(|message| Message(message.message_types.map(speech))).collect();
        Self { messages, scrub: input.scrub_pii.unwrap_or_default() }
    }
}

fn speech(message: MessageTypes) -> Speech {
    match message {
        MessageTypes::OfDeveloper(message) => Speech::Developer(Content { content: texts(message.content) }),
        MessageTypes::OfSystem(message) => Speech::System(Content { content: texts(message.content) }),
        MessageTypes::OfUser(message) => Speech::User(Content { content: texts(message.content) }),
        MessageTypes::OfAssistant(message) => {
            let tool_calls = message.tool_calls.into_iter().map(Into::into).collect();
            Speech::Assistant(Assistant { content: texts(message.content), tool_calls })
        }
        MessageTypes::OfTool(message) => {
            let tool_id = message.tool_id.unwrap_or_default();
            Speech::Tool(ToolAnswer { tool_id, name: message.name, content: texts(message.content) })
        }
    }
}

fn texts(content: Vec<v1::ConversationMessageContent>) -> Vec<Text> {
    content.into_iter().map(|content| Text { text: content.text }).collect()
}

impl From<v1::ConversationToolCalls> for ToolCall {
    fn from(call: v1::ConversationToolCalls) -> Self {
        let function = call.tool_types.map(|CallTypes::Function(function)| {
            let v1::ConversationToolCallsOfFunction { name, arguments } = function;
            FunctionCall { name, arguments }
        });
        Self { id: call.id.unwrap_or_default(), function }
    }
}

impl From<v1::ConversationTools> for Tool {
    fn from(tool: v1::ConversationTools) -> Self {
        let function = tool.tool_types.map(|ToolTypes::Function(function)| Function {
            name: function.name,
            description: function.description.unwrap_or_default(),
            parameters: function.parameters.map(members).unwrap_or_default(),
        });
        Self { function }
    }
}

fn members(message: Struct) -> Map<String, Value> {
    message.fields.into_iter().map(|(name, value)| (name, of_protobuf(value))).collect()
}
