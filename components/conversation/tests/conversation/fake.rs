//! A server with the API of a model on a free port.
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use component_api::Task;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// What the server says.
#[derive(Clone)]
pub(crate) enum Answer {
    /// What a model would say by OpenAI's API.
    AsAModel,
    /// What a model would say by Anthropic's API.
    AsClaude,
    /// Always this.
    Fixed(u16, String),
    /// Nothing, ever.
    Silence,
}

/// What the server got.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    headers: HeaderMap,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

pub(crate) struct Fake {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    _serving: Task,
}

impl Fake {
    pub(crate) async fn start(answer: Answer) -> Self {
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let router = Router::new().fallback(take).with_state((answer, Arc::clone(&asked)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = Task::spawn(|_| async move { axum::serve(listener, router).await.unwrap() });
        Self { port, asked, _serving: serving }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn take(State((answer, asked)): State<(Answer, Arc<Mutex<Vec<Asked>>>)>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
    let path = head.uri.to_string();
    asked.lock().unwrap().push(Asked { path: path.clone(), headers: head.headers, body: body.clone() });
    match answer {
        Answer::AsAModel => spoken(&body).to_string().into_response(),
        Answer::AsClaude => spoken_by_claude(&body).to_string().into_response(),
        Answer::Fixed(status, text) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        Answer::Silence => std::future::pending().await,
    }
}

/// Uses a tool where there is one to use, and has the form that is asked for.
fn spoken(asked: &Value) -> Value {
    let last = &asked["messages"].as_array().unwrap().last().unwrap()["role"];
    let tool = asked["tools"][0]["function"]["name"].as_str().filter(|_| last == "user");
    let arguments = json!({"city": "Berlin"}).to_string();
    let calls = tool
        .map(|name| json!([{"id": "call_9", "type": "function", "function": {"name": name, "arguments": arguments}}]));
    let text = if asked["response_format"].is_null() { "fine".to_owned() } else { arguments };
    let reason = if calls.is_some() { "tool_calls" } else { "stop" };
    let content = if calls.is_some() { Value::Null } else { text.into() };
    let message = json!({"role": "assistant", "content": content, "tool_calls": calls, "refusal": null});
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0}});
    json!({"id": "x", "object": "chat.completion", "model": "whatever", "usage": usage,
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": null}]})
}

/// Uses the tool that it must use, or any where there is one to use.
fn spoken_by_claude(asked: &Value) -> Value {
    let last = &asked["messages"].as_array().unwrap().last().unwrap()["content"][0]["type"];
    let must = asked["tool_choice"]["name"].as_str();
    let tool = must.or_else(|| asked["tools"][0]["name"].as_str().filter(|_| last == "text"));
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let (content, reason) = match tool {
        Some(name) => (
            json!([thought, {"type": "tool_use", "id": "toolu_1", "name": name, "input": {"city": "Berlin"}}]),
            "tool_use",
        ),
        None => (json!([thought, {"type": "text", "text": "fine"}]), "end_turn"),
    };
    let usage =
        json!({"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 4, "service_tier": "standard"});
    json!({"id": "msg", "type": "message", "role": "assistant", "model": "m", "content": content, "stop_reason": reason, "usage": usage})
}
