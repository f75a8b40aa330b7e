//! What exactly the chat completions API is sent, and how its answers are read.
use crate::fake::{Answer, Fake};
use crate::made;
use component_api::conversation::{
    Message, Model, Part, PromptDetails, Request, Role, Tool, ToolCall, ToolChoice, ToolResponse,
};
use component_api::{Kind, Metadata};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn said(role: Role, texts: &[&str]) -> Message {
    Message { role, parts: texts.iter().map(|text| Part::Text((*text).to_owned())).collect() }
}

fn user() -> Request {
    Request { messages: vec![said(Role::User, &["hello"])], ..Request::default() }
}

async fn openai(fake: &Fake, properties: &[(&str, &str)]) -> Arc<dyn Model> {
    let endpoint = fake.url("/v1");
    let given = [("key", "secret"), ("endpoint", endpoint.as_str())];
    made("openai", &[&given, properties].concat()).await.unwrap()
}

/// What the API gets when a model of that name is asked.
async fn sent(model: &str, request: &Request) -> Value {
    let fake = Fake::start(Answer::AsAModel).await;
    openai(&fake, &[("model", model)]).await.converse(request).await.unwrap();
    fake.requests().remove(0).body
}

#[tokio::test]
async fn a_whole_request() {
    let call = ToolCall { id: "1".to_owned(), name: "f".to_owned(), arguments: "{}".to_owned() };
    let result = |content: &str| {
        Part::ToolResponse(ToolResponse { id: "1".to_owned(), name: "f".to_owned(), content: content.to_owned() })
    };
    let parameters = json!({"type": "object", "properties": {}});
    let request = Request {
        messages: vec![
            said(Role::System, &["s"]),
            said(Role::Developer, &["d", "e"]),
            Message { role: Role::Assistant, parts: vec![Part::Text("a".to_owned()), Part::ToolCall(call)] },
            Message { role: Role::Tool, parts: vec![result("r")] },
            said(Role::User, &[]),
        ],
        tools: vec![
            Tool {
                name: "f".to_owned(),
                description: "d".to_owned(),
                parameters: parameters.as_object().unwrap().clone(),
            },
            Tool { name: "g".to_owned(), ..Tool::default() },
        ],
        tool_choice: Some(ToolChoice::Named("f".to_owned())),
        temperature: 0.5,
        metadata: Metadata::from([("user".to_owned(), "me".to_owned())]),
        response_format: json!({"type": "object"}).as_object().cloned(),
        prompt_cache_retention: Some(Duration::from_secs(86400)),
    };
    let function = json!({"name": "f", "arguments": "{}"});
    let expected = json!({
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "text": "d"}, {"type": "text", "text": "e"}]},
            {"role": "assistant", "content": "a", "tool_calls": [{"id": "1", "type": "function", "function": function}]},
            {"role": "tool", "content": "r", "tool_call_id": "1"},
            {"role": "user", "content": ""},
        ],
        "temperature": 0.5,
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": parameters}},
            {"type": "function", "function": {"name": "g", "parameters": {}}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema":
            {"name": "response", "strict": false, "schema": {"type": "object", "additionalProperties": false}}},
        "metadata": {"user": "me", "prompt_cache_retention": "24h0m0s"},
    });
    assert_eq!(sent("gpt-4o", &request).await, expected);
}

#[tokio::test]
async fn models_differ_in_what_they_take() {
    let messages = json!([{"role": "user", "content": "hello"}]);
    let plain = json!({"model": "gpt-4o", "messages": messages, "temperature": 0.0});
    assert_eq!(sent("gpt-4o", &user()).await, plain);
    assert_eq!(sent("gpt-5-nano", &user()).await, json!({"model": "gpt-5-nano", "messages": messages}));
    let request = Request {
        messages: vec![
            said(Role::System, &["s"]),
            said(Role::Assistant, &["a"]),
            said(Role::System, &["t"]),
            said(Role::User, &["u"]),
            said(Role::User, &["v"]),
        ],
        ..Request::default()
    };
    let expected = json!([
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "s\n\nt\n\n"}, {"type": "text", "text": "u"}]},
        {"role": "user", "content": "v"},
    ]);
    assert_eq!(sent("o3-mini", &request).await, json!({"model": "o3-mini", "messages": expected}));
}

#[tokio::test]
async fn the_key_goes_into_a_header() {
    let fake = Fake::start(Answer::AsAModel).await;
    let response = openai(&fake, &[]).await.converse(&user()).await.unwrap();
    let request = fake.requests().remove(0);
    assert_eq!(
        (request.header("authorization"), request.header("content-type")),
        ("Bearer secret", "application/json")
    );
    assert_eq!(response.model, "gpt-5-nano", "the model that was asked for");
    let usage = response.usage.unwrap();
    assert_eq!((usage.total_tokens, usage.completion_details), (7, None));
    assert_eq!(usage.prompt_details, Some(PromptDetails { cached_tokens: 4, audio_tokens: 0 }));
}

#[tokio::test]
async fn several_choices_are_several_outputs() {
    let choice = |text: &str| json!({"message": {"content": text}});
    let answer = json!({"choices": [choice("one"), choice("two")], "usage": {"total_tokens": 0}}).to_string();
    let fake = Fake::start(Answer::Fixed(200, answer)).await;
    let response = openai(&fake, &[]).await.converse(&user()).await.unwrap();
    let shown: Vec<_> = response.outputs.iter().map(|output| &output.choices[0]).collect();
    let shown: Vec<_> =
        shown.iter().map(|choice| (choice.index, choice.content.as_str(), choice.finish_reason.as_str())).collect();
    assert_eq!(shown, [(0, "one", "unknown"), (1, "two", "unknown")]);
    assert_eq!(response.usage, None, "nothing was counted");
}

#[tokio::test]
async fn the_same_question_is_asked_once() {
    let fake = Fake::start(Answer::AsAModel).await;
    let model = openai(&fake, &[("responseCacheTTL", "10m")]).await;
    let first = model.converse(&user()).await.unwrap();
    assert_eq!(model.converse(&user()).await.unwrap(), first);
    assert_eq!(fake.requests().len(), 1);
    model.converse(&Request { temperature: 1.0, messages: vec![said(Role::User, &["else"])], ..user() }).await.unwrap();
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test]
async fn refusals_and_nonsense_are_errors() {
    for (answer, kind, text) in [
        (
            Answer::Fixed(429, json!({"error": {"message": "slow down"}}).to_string()),
            Kind::RateLimited,
            "API returned unexpected status code: 429: slow down",
        ),
        (Answer::Fixed(200, json!({"choices": []}).to_string()), Kind::Other, "empty response"),
        (
            Answer::Fixed(200, "no JSON".to_owned()),
            Kind::Other,
            "cannot read the answer of the API: expected ident at line 1 column 2",
        ),
        (Answer::Silence, Kind::Timeout, "request timeout: no answer of the API within 100ms"),
    ] {
        let time = if matches!(answer, Answer::Silence) { "100ms" } else { "10m" };
        let fake = Fake::start(answer).await;
        let error = openai(&fake, &[("timeout", time)]).await.converse(&user()).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
    }
    let nobody = made("openai", &[("key", "secret"), ("endpoint", "http://127.0.0.1:1")]).await.unwrap();
    let error = nobody.converse(&user()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().starts_with("network error: failed to reach 127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_model_that_must_use_a_tool_says_something() {
    let answer = json!({"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}).to_string();
    let fake = Fake::start(Answer::Fixed(200, answer)).await;
    let model = openai(&fake, &[]).await;
    let tools = vec![Tool::default()];
    let request = Request { tools, tool_choice: Some(ToolChoice::Required), ..user() };
    let error = model.converse(&request).await.unwrap_err().to_string();
    assert_eq!(error, "LLM returned empty response with no tool calls despite 1 tools being available");
    model.converse(&Request { tool_choice: Some(ToolChoice::Auto), ..request }).await.unwrap();
}

#[tokio::test]
async fn metadata_is_checked() {
    for (name, properties, text) in [
        ("openai", &[("model", "m")][..], "missing the OpenAI API key: give it by the metadata key"),
        (
            "openai",
            &[("key", "k"), ("apiType", "azure")],
            "endpoint and apiVersion must be provided when apiType is set to 'azure'",
        ),
        ("mistral", &[], "missing the API key of mistral: give it by the metadata key"),
        ("openai", &[("key", "a\nb")], "the key has characters that no header may have; check for line breaks"),
        ("ollama", &[("endpoint", "ftp://localhost")], "endpoint must start with https:// or http://"),
    ] {
        let error = made(name, properties).await.err().unwrap();
        assert_eq!(error.to_string(), text);
    }
    made("ollama", &[]).await.unwrap();
}

#[tokio::test]
async fn mistral_gets_no_metadata() {
    let fake = Fake::start(Answer::AsAModel).await;
    let model = made("mistral", &[("key", "secret"), ("endpoint", &fake.url(""))]).await.unwrap();
    let metadata = Metadata::from([("user".to_owned(), "me".to_owned())]);
    model.converse(&Request { metadata, ..user() }).await.unwrap();
    assert_eq!(fake.requests()[0].body["metadata"], Value::Null);
}
