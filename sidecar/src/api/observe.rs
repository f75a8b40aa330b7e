//! What is kept of each call: its trace, its metrics, its line in the log.
use crate::api::http::name;
use axum::body::Body;
use axum::extract::Request;
use http::{HeaderMap, Method, Response, Uri};
use http_body::Body as _;
use std::time::Instant;
use tonic::Code;

const USER_AGENT: &str = "user-agent";

/// How calls are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallLog {
    /// Names of endpoints in place of paths.
    pub obfuscate: bool,
    pub omit_health: bool,
}

/// Observes calls of one API.
#[derive(Clone, Debug, Default)]
pub struct Observer {
    pub log: Option<CallLog>,
}

/// An HTTP call that has begun.
pub(crate) struct Http {
    start: Instant,
    method: Method,
    uri: Uri,
    agent: String,
}

/// A gRPC call that has begun.
pub(crate) struct Grpc {
    start: Instant,
    path: String,
    agent: String,
}

impl Observer {
    /// Takes note of an HTTP call.
    ///
    /// # Errors
    /// The answer to a call whose trace cannot be read.
    pub(crate) fn begin_http(&self, request: Request) -> Result<(Http, Request), Box<Response<Body>>> {
        let agent = self.agent(request.headers());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Ok((Http { start: Instant::now(), method, uri, agent }, request))
    }

    /// Takes note of its answer.
    pub(crate) fn end_http(&self, call: Http, response: &mut Response<Body>) {
        let Some(log) = self.log else { return };
        if log.omit_health && call.uri.path().contains("/healthz") {
            return;
        }
        let size = response.body().size_hint().exact().unwrap_or_default();
        let (code, duration) = (response.status().as_u16(), call.start.elapsed().as_millis());
        let path = call.uri.path();
        let method = if log.obfuscate { name(&call.method, path) } else { format!("{} {path}", call.method) };
        tracing::info!(target: "dapr.runtime.http-info", code, duration, method, size, useragent = call.agent, "HTTP API Called");
    }

    /// Takes note of a gRPC call.
    pub(crate) fn begin_grpc(&self, request: &Request) -> Grpc {
        let agent = self.agent(request.headers());
        Grpc { start: Instant::now(), path: request.uri().path().to_owned(), agent }
    }

    /// Takes note of its end.
    pub(crate) fn end_grpc(&self, call: &Grpc, code: Code) {
        if self.log.is_none() {
            return;
        }
        let (code, duration) = (code as i32, call.start.elapsed().as_millis());
        let (method, agent) = (&call.path, &call.agent);
        tracing::info!(target: "dapr.runtime.grpc.api-info", code, duration, method, useragent = agent, "gRPC API Called");
    }

    fn agent(&self, headers: &HeaderMap) -> String {
        let agent = self.log.and_then(|_| headers.get(USER_AGENT)).and_then(|value| value.to_str().ok());
        agent.unwrap_or_default().to_owned()
    }
}
