//! The block over three models, its answers, and what they should be.
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use block_conversation::{Service, endpoints};
use component_api::conversation::{
    Choice, CompletionDetails, Model, Output, PromptDetails, Request, Response, ToolCall, Usage,
};
use component_api::{Error, Instance, Kind, Live, Properties, Result};
use component_conversation::Echo;
use http_body_util::BodyExt;
use prost_types::value::Kind as Of;
use prost_types::{ListValue, Struct, Value as WireValue};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tower::ServiceExt;
use wire::runtime::v1;
use wire::runtime::v1::conversation_message::MessageTypes;
use wire::runtime::v1::conversation_tool_calls::ToolTypes as CallTypes;
use wire::runtime::v1::conversation_tools::ToolTypes;

/// Takes note of what it was asked, and always says the same.
#[derive(Default)]
struct Listener(Mutex<Request>);

#[async_trait]
impl Model for Listener {
    async fn converse(&self, request: &Request) -> Result<Response> {
        *self.0.lock().unwrap() = request.clone();
        let call = ToolCall { id: String::new(), name: "f".to_owned(), arguments: "{}".to_owned() };
        let text = Choice { finish_reason: "length".to_owned(), content: "one".to_owned(), ..Choice::default() };
        let calls = Choice { index: 1, tool_calls: vec![call], ..Choice::default() };
        let usage = Usage {
            completion_tokens: 1,
            total_tokens: 3,
            completion_details: Some(CompletionDetails { reasoning_tokens: 7, ..CompletionDetails::default() }),
            prompt_details: Some(PromptDetails { cached_tokens: 9, ..PromptDetails::default() }),
            ..Usage::default()
        };
        let outputs = vec![Output { choices: vec![text, calls] }];
        Ok(Response { outputs, model: "m-1".to_owned(), usage: Some(usage) })
    }
}

struct Broken;

#[async_trait]
impl Model for Broken {
    async fn converse(&self, _: &Request) -> Result<Response> {
        Err(Error::new(Kind::RateLimited, "too many questions"))
    }
}

pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    listener: Arc<Listener>,
    router: Router,
}

impl World {
    /// With the models `echo`, `model` and `broken`.
    pub(crate) fn new() -> Self {
        let (live, listener) = (Live::default(), Arc::<Listener>::default());
        let models: [(&str, Arc<dyn Model>); 3] =
            [("echo", Arc::new(Echo)), ("model", Arc::clone(&listener) as _), ("broken", Arc::new(Broken))];
        for (name, component) in models {
            let (kind, version) = ("conversation.test".to_owned(), "v1".to_owned());
            live.insert(Instance {
                name: name.to_owned(),
                kind,
                version,
                properties: Properties::default(),
                component,
            });
        }
        let service = Arc::new(Service::new(live));
        let router = endpoints(Arc::clone(&service)).into_router(|_| true);
        Self { service, listener, router }
    }

    /// What `model` was asked last.
    pub(crate) fn asked(&self) -> Request {
        self.listener.0.lock().unwrap().clone()
    }

    /// Asks at `<version>/conversation/<name>`.
    pub(crate) async fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let request = axum::extract::Request::post(format!("/v1.0-{path}/converse"));
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), serde_json::from_slice(&bytes).unwrap())
    }

    pub(crate) async fn check(&self, path: &str, body: Value, expected: (u16, Value)) {
        assert_eq!(self.post(path, &body.to_string()).await, expected, "{path} {body}");
    }
}

pub(crate) fn fault(tag: &str, message: &str) -> Value {
    json!({"errorCode": tag, "message": message})
}

pub(crate) fn user(text: &str) -> Value {
    json!({"inputs": [{"messages": [{"ofUser": {"content": [{"text": text}]}}]}]})
}

/// A request that has all there is.
pub(crate) fn everything(name: &str) -> v1::ConversationRequestAlpha2 {
    let text = |text: &str| vec![v1::ConversationMessageContent { text: text.to_owned() }];
    let user = v1::ConversationMessageOfUser { content: text("u"), ..Default::default() };
    let function = v1::ConversationToolCallsOfFunction { name: "f".to_owned(), arguments: "{}".to_owned() };
    let call = v1::ConversationToolCalls { id: Some("1".to_owned()), tool_types: Some(CallTypes::Function(function)) };
    let assistant =
        v1::ConversationMessageOfAssistant { content: text("a"), tool_calls: vec![call], ..Default::default() };
    let message = |types| v1::ConversationMessage { message_types: Some(types) };
    let messages = vec![message(MessageTypes::OfUser(user)), message(MessageTypes::OfAssistant(assistant))];
    let value = |kind| WireValue { kind: Some(kind) };
    let list = [Of::BoolValue(true), Of::NullValue(0), Of::NumberValue(0.5)].map(value).to_vec();
    let fields = [("n", Of::NumberValue(5.0)), ("list", Of::ListValue(ListValue { values: list }))];
    let fields = fields.map(|(name, kind)| (name.to_owned(), value(kind))).into();
    let tool =
        v1::ConversationToolsFunction { name: "f".to_owned(), description: None, parameters: Some(Struct { fields }) };
    v1::ConversationRequestAlpha2 {
        name: name.to_owned(),
        context_id: Some("c".to_owned()),
        inputs: vec![v1::ConversationInputAlpha2 { messages, scrub_pii: None }],
        tools: vec![v1::ConversationTools { tool_types: Some(ToolTypes::Function(tool)) }],
        prompt_cache_retention: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        ..Default::default()
    }
}
