//! Answers of the service as the gRPC API has them.
use component_api::conversation::{Choice, CompletionDetails, PromptDetails, Response, ToolCall, Usage};
use wire::runtime::v1;
use wire::runtime::v1::conversation_tool_calls::ToolTypes;

/// Model and usage are told with every output.
pub(super) fn outputs(response: Response) -> Vec<v1::ConversationResultAlpha2> {
    let Response { outputs, model, usage } = response;
    let model = Some(model).filter(|model| !model.is_empty());
    let usage = usage.map(used);
    let output = |choices: Vec<Choice>| v1::ConversationResultAlpha2 {
        choices: choices.into_iter().map(choice).collect(),
        model: model.clone(),
        usage,
    };
    outputs.into_iter().map(|one| output(one.choices)).collect()
}

fn choice(choice: Choice) -> v1::ConversationResultChoices {
    let Choice { finish_reason, index, content, tool_calls } = choice;
    let message = v1::ConversationResultMessage { content, tool_calls: tool_calls.into_iter().map(call).collect() };
    v1::ConversationResultChoices { finish_reason, index, message: Some(message) }
}

fn call(call: ToolCall) -> v1::ConversationToolCalls {
    let ToolCall { id, name, arguments } = call;
    let function = ToolTypes::Function(v1::ConversationToolCallsOfFunction { name, arguments });
    v1::ConversationToolCalls { id: Some(id).filter(|id| !id.is_empty()), tool_types: Some(function) }
}

fn used(usage: Usage) -> v1::ConversationResultAlpha2CompletionUsage {
    v1::ConversationResultAlpha2CompletionUsage {
        completion_tokens: usage.completion_tokens,
        prompt_tokens: usage.prompt_tokens,
        total_tokens: usage.total_tokens,
        completion_tokens_details: usage.completion_details.map(completion),
        prompt_tokens_details: usage.prompt_details.map(prompt),
    }
}

fn completion(details: CompletionDetails) -> v1::ConversationResultAlpha2CompletionUsageCompletionTokensDetails {
    let CompletionDetails { accepted_prediction_tokens, audio_tokens, reasoning_tokens, rejected_prediction_tokens } =
        details;
    v1::ConversationResultAlpha2CompletionUsageCompletionTokensDetails {
        accepted_prediction_tokens,
        audio_tokens,
        reasoning_tokens,
        rejected_prediction_tokens,
    }
}

fn prompt(details: PromptDetails) -> v1::ConversationResultAlpha2CompletionUsagePromptTokensDetails {
    let PromptDetails { audio_tokens, cached_tokens } = details;
    v1::ConversationResultAlpha2CompletionUsagePromptTokensDetails { audio_tokens, cached_tokens }
}
