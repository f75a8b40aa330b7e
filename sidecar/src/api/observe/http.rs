//! Calls of the HTTP API.
use super::{CallLog, Observer};
use crate::api::http::name;
use axum::body::Body;
use axum::extract::Request;
use foundation_fault::Code;
use foundation_telemetry::{HttpServed, watched};
use http::header::CONTENT_LENGTH;
use http::{Method, Response, StatusCode, Uri};
use http_body::Body as _;
use std::time::Instant;

/// An HTTP call that has begun.
pub(crate) struct HttpCall {
    observer: Observer,
    start: Instant,
    method: Method,
    uri: Uri,
    agent: Option<String>,
    request_bytes: u64,
}

impl Observer {
    /// Takes note of an HTTP call.
    pub(crate) fn begin_http(&self, request: &Request) -> HttpCall {
        let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        HttpCall {
            observer: self.clone(),
            start: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            agent: self.agent(request.headers()),
            request_bytes: length.unwrap_or_default(),
        }
    }
}

impl HttpCall {
    /// Takes note of the answer, at its end when its size is not known before.
    pub(crate) fn answered(self, response: Response<Body>) -> Response<Body> {
        if !self.observer.observes() {
            return response;
        }
        if let Some(code) = response.extensions().get::<&'static Code>() {
            self.observer.metrics.error_code(code.name(), code.category.label());
        }
        let (status, size) = (response.status(), response.body().size_hint().exact());
        match size {
            Some(size) => self.ended(status, size),
            None => return response.map(|body| watched(body, move |end| self.ended(status, end.bytes))),
        }
        response
    }

    fn ended(&self, status: StatusCode, response_bytes: u64) {
        self.observer.metrics.http_served(HttpServed {
            method: self.method.as_str(),
            path: self.uri.path(),
            status: status.as_u16(),
            request_bytes: self.request_bytes,
            response_bytes,
            elapsed: self.start.elapsed(),
        });
        if let Some(log) = self.observer.log {
            self.log(log, status, response_bytes);
        }
    }

    fn log(&self, log: CallLog, status: StatusCode, size: u64) {
        let path = self.uri.path();
        if log.omit_health && path.contains("/healthz") {
            return;
        }
        let (code, duration) = (status.as_u16(), self.start.elapsed().as_millis());
        let method = if log.obfuscate { name(&self.method, path) } else { format!("{} {path}", self.method) };
        tracing::info!(target: "dapr.runtime.http-info", code, duration, method, size, useragent = self.agent, "HTTP API Called");
    }
}
