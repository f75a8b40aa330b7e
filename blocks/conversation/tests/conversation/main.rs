//! Both forms of the API through both transports, over the echo and over a model that tells what it got.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod world;

use block_conversation::{converse_alpha1, converse_alpha2};
use component_api::conversation::{Message, Part, Role, Tool, ToolCall, ToolChoice, ToolResponse};
use serde_json::{Value, json};
use std::time::Duration;
use tonic::Code;
use wire::runtime::v1;
use world::{World, fault, user};

#[tokio::test]
async fn texts_are_answered() {
    let world = World::new();
    let inputs = json!({"inputs": [{"content": "a", "role": "system"}, {"content": "b"}], "contextID": "c", "x": 1});
    let expected = json!({"contextID": "c", "outputs": [{"result": "a\nb"}]});
    world.check("alpha1/conversation/echo", inputs, (200, expected)).await;
    let parameters = json!({"p": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "v"}});
    let asked = json!({"inputs": [{"content": "a"}], "parameters": parameters});
    let expected = json!({"outputs": [{"result": "a", "parameters": parameters}]});
    world.check("alpha1/conversation/echo", asked, (200, expected)).await;
    let any = prost_types::Any { type_url: "t".to_owned(), value: vec![1] };
    let request = v1::ConversationRequest {
        name: "echo".to_owned(),
        inputs: vec![v1::ConversationInput { content: "hi".to_owned(), ..Default::default() }],
        parameters: [("p".to_owned(), any.clone())].into(),
        ..Default::default()
    };
    let output = converse_alpha1(&world.service, request).await.unwrap().outputs.remove(0);
    assert_eq!((output.result.as_str(), &output.parameters["p"]), ("hi", &any));
}

#[tokio::test]
async fn texts_are_scrubbed_on_either_side() {
    let world = World::new();
    let asked = json!({"inputs": [{"content": "a@b.com", "scrubPII": true}, {"content": "c@d.com"}]});
    let expected = json!({"outputs": [{"result": "<EMAIL_ADDRESS>\nc@d.com"}]});
    world.check("alpha1/conversation/echo", asked, (200, expected)).await;
    let asked = json!({"inputs": [{"content": "c@d.com"}], "scrubPII": true});
    world.check("alpha1/conversation/echo", asked, (200, json!({"outputs": [{"result": "<EMAIL_ADDRESS>"}]}))).await;
    let asked = json!({"inputs": [{"messages": [{"ofUser": {"content": [{"text": "10.8.9.1"}]}}], "scrub_pii": true}]});
    let (_, answer) = world.post("alpha2/conversation/echo", &asked.to_string()).await;
    assert_eq!(answer["outputs"][0]["choices"][0]["message"]["content"], "<IP>");
    let mut asked = user("10.8.9.1");
    asked["scrubPii"] = true.into();
    let (_, answer) = world.post("alpha2/conversation/echo", &asked.to_string()).await;
    assert_eq!(answer["outputs"][0]["choices"][0]["message"]["content"], "<IP>");
}

#[tokio::test]
async fn a_model_gets_all_that_was_said() {
    let world = World::new();
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let asked = json!({
        "inputs": [{"messages": [
            {"ofDeveloper": {"name": "n", "content": [{"text": "d"}, {"text": "e"}]}},
            {"of_system": {"content": [{"text": "s"}]}, "ofUser": null},
            {"ofAssistant": {"content": [{"text": "a"}], "toolCalls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}},
            {"ofTool": {"toolId": "1", "name": "f", "content": [{"text": "r"}]}},
        ]}, {"messages": [{"ofUser": {}}]}],
        "metadata": {"k": "v"}, "temperature": 0.5, "toolChoice": "f", "promptCacheRetention": "86400s",
        "tools": [{"function": {"name": "f", "description": "d", "parameters": parameters}}],
        "responseFormat": {"type": "object"}, "contextId": "c",
    });
    let (status, answer) = world.post("alpha2/conversation/model", &asked.to_string()).await;
    let usage = json!({"completionTokens": "1", "totalTokens": "3", "completionTokensDetails": {"reasoningTokens": "7"},
        "promptTokensDetails": {"cachedTokens": "9"}});
    let calls = json!([{"function": {"name": "f", "arguments": "{}"}}]);
    let choices = json!([{"finishReason": "length", "message": {"content": "one"}}, {"index": "1", "message": {"toolCalls": calls}}]);
    let expected = json!({"contextId": "c", "outputs": [{"choices": choices, "model": "m-1", "usage": usage}]});
    assert_eq!((status, answer), (200, expected));
    let got = world.asked();
    let text = |text: &str| Part::Text(text.to_owned());
    let call = ToolCall { id: "1".to_owned(), name: "f".to_owned(), arguments: "{}".to_owned() };
    let response = ToolResponse { id: "1".to_owned(), name: "f".to_owned(), content: "r".to_owned() };
    let message = |role, parts| Message { role, parts };
    assert_eq!(
        got.messages,
        [
            message(Role::Developer, vec![text("d"), text("e")]),
            message(Role::System, vec![text("s")]),
            message(Role::Assistant, vec![text("a"), Part::ToolCall(call)]),
            message(Role::Tool, vec![Part::ToolResponse(response)]),
            message(Role::User, Vec::new()),
        ]
    );
    let parameters = parameters.as_object().unwrap().clone();
    assert_eq!(got.tools, [Tool { name: "f".to_owned(), description: "d".to_owned(), parameters }]);
    assert_eq!((got.tool_choice, got.temperature), (Some(ToolChoice::Named("f".to_owned())), 0.5));
    assert_eq!((got.metadata["k"].as_str(), got.prompt_cache_retention), ("v", Some(Duration::from_secs(86400))));
    assert_eq!(Value::from(got.response_format.unwrap()), json!({"type": "object"}));
}

#[tokio::test]
async fn a_model_gets_the_same_over_grpc() {
    let world = World::new();
    let answer = converse_alpha2(&world.service, world::everything("model")).await.unwrap();
    let output = &answer.outputs[0];
    assert_eq!((answer.context_id.as_deref(), output.model.as_deref()), (Some("c"), Some("m-1")));
    assert_eq!((output.choices[0].finish_reason.as_str(), output.choices[1].index), ("length", 1));
    let call = &output.choices[1].message.as_ref().unwrap().tool_calls[0];
    assert_eq!((call.id.as_ref(), call.tool_types.is_some()), (None, true));
    let usage = output.usage.unwrap();
    assert_eq!((usage.total_tokens, usage.completion_tokens_details.unwrap().reasoning_tokens), (3, 7));
    let got = world.asked();
    let call = ToolCall { id: "1".to_owned(), name: "f".to_owned(), arguments: "{}".to_owned() };
    assert_eq!(got.messages[1].parts, [Part::Text("a".to_owned()), Part::ToolCall(call)]);
    assert_eq!(Value::from(got.tools[0].parameters.clone()), json!({"n": 5, "list": [true, null, 0.5]}));
    assert_eq!(got.prompt_cache_retention, Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn tools_are_chosen_among_those_offered() {
    let world = World::new();
    let tools = json!([{"function": {"name": "f"}}]);
    for (tools, choice, expected) in [
        (json!([]), "", None),
        (tools.clone(), "", Some(ToolChoice::Auto)),
        (tools.clone(), "none", Some(ToolChoice::None)),
        (tools.clone(), "required", Some(ToolChoice::Required)),
        (json!(null), "any", Some(ToolChoice::Named("any".to_owned()))),
    ] {
        let mut asked = user("x");
        (asked["tools"], asked["toolChoice"]) = (tools, choice.into());
        assert_eq!(world.post("alpha2/conversation/model", &asked.to_string()).await.0, 200);
        assert_eq!(world.asked().tool_choice, expected, "{choice}");
    }
    for (tools, choice) in [(tools, "fly"), (json!([]), "required")] {
        let mut asked = user("x");
        (asked["tools"], asked["toolChoice"]) = (tools, choice.into());
        let (status, answer) = world.post("alpha2/conversation/model", &asked.to_string()).await;
        assert_eq!((status, answer["errorCode"].as_str()), (400, Some("ERR_CONVERSATION_INVALID_PARMS")));
    }
}

#[tokio::test]
async fn what_is_missing_is_told() {
    let world = World::new();
    let not_found = (400, fault("ERR_CONVERSATION_NOT_FOUND", "failed finding conversation component nope"));
    let text = "failed conversing with component echo: missing inputs in request";
    for version in ["alpha1", "alpha2"] {
        world.check(&format!("{version}/conversation/nope"), json!({}), not_found.clone()).await;
        let no_inputs = (400, fault("ERR_CONVERSATION_MISSING_INPUTS", text));
        let path = format!("{version}/conversation/echo");
        world.check(&path, json!({"inputs": []}), no_inputs).await;
        let (status, answer) = world.post(&path, "x").await;
        assert_eq!((status, answer["errorCode"].as_str()), (400, Some("ERR_MALFORMED_REQUEST")));
    }
    let invalid = |reason: &str| {
        let text = format!("failed conversing with component echo: invalid params: {reason}");
        (400, fault("ERR_CONVERSATION_INVALID_PARMS", &text))
    };
    let asked = json!({"inputs": [{"messages": [{}]}]});
    world.check("alpha2/conversation/echo", asked, invalid("message type cannot be nil")).await;
    let asked = json!({"inputs": [{"messages": [{"ofAssistant": {"toolCalls": [{"id": "1"}]}}]}]});
    world.check("alpha2/conversation/echo", asked, invalid("tool types cannot be nil")).await;
    let two = r#"{"inputs":[{"messages":[{"ofUser":{},"ofTool":{}}]}]}"#;
    let (status, answer) = world.post("alpha2/conversation/echo", two).await;
    assert_eq!((status, answer["errorCode"].as_str()), (400, Some("ERR_MALFORMED_REQUEST")));
    let request = v1::ConversationRequestAlpha2 { name: "nope".to_owned(), ..Default::default() };
    let status = converse_alpha2(&world.service, request).await.unwrap_err();
    assert_eq!((status.code(), status.details()), (Code::InvalidArgument, &[][..]));
}

#[tokio::test]
async fn what_a_model_says_is_passed_on() {
    let world = World::new();
    let text = "failed conversing with component broken: too many questions";
    let expected = (500, fault("ERR_CONVERSATION_INVOKE", text));
    world.check("alpha2/conversation/broken", user("x"), expected.clone()).await;
    world.check("alpha1/conversation/broken", json!({"inputs": [{}]}), expected).await;
    let status = converse_alpha2(&world.service, world::everything("broken")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Internal, text));
}
