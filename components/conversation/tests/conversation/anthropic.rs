//! What exactly the Messages API is sent, and how its answers are read.
use crate::fake::{Answer, Fake};
use crate::made;
use component_api::Kind;
use component_api::conversation::{
    Message, Part, PromptDetails, Request, Response, Role, Tool, ToolCall, ToolChoice, ToolResponse,
};
use serde_json::{Value, json};

fn said(role: Role, texts: &[&str]) -> Message {
    Message { role, parts: texts.iter().map(|text| Part::Text((*text).to_owned())).collect() }
}

async fn asked(properties: &[(&str, &str)], request: &Request) -> (Value, Response) {
    let fake = Fake::start(Answer::AsClaude).await;
    let endpoint = fake.url("");
    let given = [("key", "secret"), ("endpoint", endpoint.as_str())];
    let model = made("anthropic", &[&given, properties].concat()).await.unwrap();
    let response = model.converse(request).await.unwrap();
    (fake.requests().remove(0).body, response)
}

#[tokio::test]
async fn a_whole_request() {
    let call = ToolCall { id: "1".to_owned(), name: "f".to_owned(), arguments: r#"{"a":1}"#.to_owned() };
    let result = ToolResponse { id: "1".to_owned(), name: "f".to_owned(), content: "r".to_owned() };
    let request = Request {
        messages: vec![
            said(Role::System, &["s", "t"]),
            said(Role::Developer, &["d", ""]),
            Message { role: Role::Assistant, parts: vec![Part::Text("a".to_owned()), Part::ToolCall(call)] },
            Message { role: Role::Tool, parts: vec![Part::ToolResponse(result)] },
        ],
        tools: vec![Tool { name: "f".to_owned(), description: "d".to_owned(), ..Tool::default() }],
        tool_choice: Some(ToolChoice::Required),
        temperature: 0.5,
        ..Request::default()
    };
    let use_of_tool = json!({"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}});
    let expected = json!({
        "model": "m", "max_tokens": 100, "temperature": 0.5, "system": "s\n\nt",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "d"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "a"}, use_of_tool]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "r"}]},
        ],
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any"},
    });
    let (sent, response) = asked(&[("model", "m"), ("maxTokens", "100")], &request).await;
    assert_eq!(sent, expected);
    let choice = &response.outputs[0].choices[0];
    assert_eq!((choice.content.as_str(), choice.finish_reason.as_str()), ("fine", "end_turn"), "thoughts are left out");
    let usage = response.usage.unwrap();
    assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (5, 2, 7));
    assert_eq!(usage.prompt_details, Some(PromptDetails { cached_tokens: 4, audio_tokens: 0 }));
}

#[tokio::test]
async fn the_form_of_an_answer_is_a_tool() {
    let schema = json!({"type": "object", "name": "capital", "strict": true, "description": "d", "properties": {}});
    let request = Request {
        messages: vec![said(Role::User, &["u"])],
        response_format: schema.as_object().cloned(),
        ..Request::default()
    };
    let (sent, response) = asked(&[], &request).await;
    let input_schema = json!({"type": "object", "description": "d", "properties": {}, "additionalProperties": false});
    let tool = json!({"name": "capital", "description": "d", "input_schema": input_schema});
    assert_eq!((&sent["tools"], &sent["tool_choice"]), (&json!([tool]), &json!({"type": "tool", "name": "capital"})));
    let choice = &response.outputs[0].choices[0];
    assert_eq!((choice.content.as_str(), choice.tool_calls.len()), (r#"{"city":"Berlin"}"#, 0));
}

#[tokio::test]
async fn what_cannot_be_said_is_told() {
    let call = ToolCall { id: "1".to_owned(), name: "f".to_owned(), arguments: "city".to_owned() };
    let messages = vec![Message { role: Role::Assistant, parts: vec![Part::ToolCall(call)] }];
    let model = made("anthropic", &[("key", "secret")]).await.unwrap();
    let error = model.converse(&Request { messages, ..Request::default() }).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().starts_with("the arguments of the call of tool f are no JSON object"), "{error}");
    for (properties, text) in [
        (&[("key", "k"), ("apiType", "foundry")][..], "endpoint must be provided when apiType is set to 'foundry'"),
        (&[], "missing the Anthropic API key: give it by the metadata key"),
    ] {
        assert_eq!(made("anthropic", properties).await.err().unwrap().to_string(), text);
    }
}
