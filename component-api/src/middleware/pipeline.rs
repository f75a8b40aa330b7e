//! Pipelines: the middlewares that a configuration names, in their order, and what lies behind the last of them.
use super::{Body, Http, Request, Response};
use crate::{Instance, Live};
use futures_util::future::BoxFuture;
use http::StatusCode;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

/// A middleware as a configuration names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handler {
    /// Name of the component.
    pub name: String,
    /// Full type, such as `middleware.http.uppercase`.
    pub kind: String,
    /// Version; empty is `v1`.
    pub version: String,
}

/// Middlewares in their order: the first one is the outermost. Clones share the same components.
#[derive(Clone, Default)]
pub struct Pipeline {
    handlers: Arc<[Handler]>,
    live: Live<dyn Http>,
}

type Step = Arc<Instance<dyn Http>>;

/// What follows a step: further steps, and at last what answers the request.
pub struct Next<'a> {
    steps: &'a [Step],
    end: &'a dyn End,
}

impl Pipeline {
    /// Components are looked up with each request, so that they may come and go meanwhile.
    pub fn new(handlers: Vec<Handler>, live: Live<dyn Http>) -> Self {
        Self { handlers: handlers.into(), live }
    }

    /// Whether no middleware is named: then there is no need to run it at all.
    pub fn is_empty(&self) -> bool {
        self.handlers.is_empty()
    }

    /// Handlers that have no component now, and are skipped.
    pub fn missing(&self) -> impl Iterator<Item = &Handler> {
        self.handlers.iter().filter(|handler| self.find(handler).is_none())
    }

    /// Sends a request through all middlewares to `end`, which may be called several times or never.
    ///
    /// # Errors
    /// What `end` failed with, whatever the middlewares made of it.
    pub async fn run<F, Answer, E>(&self, request: Request, end: F) -> Result<Response, E>
    where
        F: Fn(Request) -> Answer + Send + Sync,
        Answer: Future<Output = Result<Response, E>> + Send,
        E: Send,
    {
        let steps: Vec<Step> = self.handlers.iter().filter_map(|handler| self.find(handler)).collect();
        let end = Failing { end, failure: Mutex::new(None) };
        let response = Next { steps: &steps, end: &end }.run(request).await;
        end.failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(response), Err)
    }

    fn find(&self, handler: &Handler) -> Option<Step> {
        let found = self.live.get(&handler.name)?;
        let same = found.kind == handler.kind && version(&found.version) == version(&handler.version);
        same.then_some(found)
    }
}

fn version(text: &str) -> &str {
    if text.is_empty() { "v1" } else { text }
}

impl Next<'_> {
    /// The response of what follows.
    pub async fn run(self, request: Request) -> Response {
        match self.steps.split_first() {
            Some((first, steps)) => first.component.handle(request, Next { steps, end: self.end }).await,
            None => self.end.answer(request).await,
        }
    }
}

/// What answers a request behind the last step.
trait End: Send + Sync {
    fn answer(&self, request: Request) -> BoxFuture<'_, Response>;
}

/// An end that may fail: steps see a response of status 500 then.
struct Failing<F, E> {
    end: F,
    failure: Mutex<Option<E>>,
}

impl<F, Answer, E> End for Failing<F, E>
where
    F: Fn(Request) -> Answer + Send + Sync,
    Answer: Future<Output = Result<Response, E>> + Send,
    E: Send,
{
    fn answer(&self, request: Request) -> BoxFuture<'_, Response> {
        Box::pin(async move {
            let answered = (self.end)(request).await;
            answered.unwrap_or_else(|error| {
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            })
        })
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.handlers.iter()).finish()
    }
}
