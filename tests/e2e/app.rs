//! An app that remembers what it was asked.
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http_body_util::BodyExt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A request that the app got.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) body: Bytes,
}

/// A running app; it ends when dropped.
pub(crate) struct App {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    answers: Mutex<BTreeMap<String, (StatusCode, String)>>,
    held: Mutex<BTreeMap<String, Arc<Notify>>>,
}

impl App {
    /// An app that answers 200 to everything, after `answers` by path.
    #[allow(clippy::disallowed_methods)] // The handle ends the task.
    pub(crate) async fn start(answers: &[(&str, StatusCode, &str)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let app = Self { port, shared, server };
        answers.iter().for_each(|(path, status, body)| app.answer(path, *status, body));
        app
    }

    /// A subscriber of one topic of the component `broker`, with its events at `/events`.
    pub(crate) async fn subscriber(topic: &str) -> Self {
        let subscriptions = serde_json::json!([{"pubsubname": "broker", "topic": topic, "route": "/events"}]);
        Self::start(&[("/dapr/subscribe", StatusCode::OK, &subscriptions.to_string())]).await
    }

    /// Changes the answer to a path.
    pub(crate) fn answer(&self, path: &str, status: StatusCode, body: &str) {
        self.shared.answers.lock().unwrap().insert(path.to_owned(), (status, body.to_owned()));
    }

    /// Holds answers to a path back until [`App::release`].
    pub(crate) fn hold(&self, path: &str) {
        self.shared.held.lock().unwrap().insert(path.to_owned(), Arc::default());
    }

    /// Lets the answer that is held back go.
    pub(crate) fn release(&self, path: &str) {
        self.shared.held.lock().unwrap().get(path).unwrap().notify_one();
    }

    /// Bodies of all requests to a path, in order.
    pub(crate) fn bodies(&self, path: &str) -> Vec<Bytes> {
        let received = self.shared.received.lock().unwrap();
        received.iter().filter(|request| request.path == path).map(|request| request.body.clone()).collect()
    }

    /// How many requests came to paths that begin and end so.
    pub(crate) fn count(&self, begin: &str, end: &str) -> usize {
        let received = self.shared.received.lock().unwrap();
        received.iter().filter(|request| request.path.starts_with(begin) && request.path.ends_with(end)).count()
    }

    /// The `data` of all events that came, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        let data = |event: &Bytes| serde_json::from_slice::<serde_json::Value>(event).unwrap()["data"].clone();
        self.bodies("/events").iter().map(|event| data(event).as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    shared.received.lock().unwrap().push(Received { path: path.clone(), body });
    let held = shared.held.lock().unwrap().get(&path).cloned();
    if let Some(held) = held {
        held.notified().await;
    }
    let answer = shared.answers.lock().unwrap().get(&path).cloned();
    answer.map_or_else(|| StatusCode::OK.into_response(), IntoResponse::into_response)
}
