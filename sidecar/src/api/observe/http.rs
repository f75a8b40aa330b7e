//! Calls of the HTTP API.
use super::attributes::{describe_client, describe_path};
use super::{BAGGAGE, CallLog, Observer, Traced, describe_caller};
use crate::api::http::{name, plain};
use axum::body::Body;
use axum::extract::Request;
use block_invoke::names_app;
use block_telemetry::is_export;
use foundation_fault::Code;
use foundation_telemetry::{
    HttpServed, InvalidBaggage, SpanContext, SpanKind, TRACEPARENT, TRACESTATE, check_baggage, watched,
};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use http_body::Body as _;
use std::net::SocketAddr;
use std::time::Instant;

/// An HTTP call that has begun.
pub(crate) struct HttpCall {
    observer: Observer,
    start: Instant,
    method: Method,
    uri: Uri,
    request_bytes: u64,
    traced: Option<Traced>,
}

impl Observer {
    /// Takes note of an HTTP call, whose headers get the trace that is to be handed on.
    ///
    /// # Errors
    /// The answer to a call whose baggage is malformed.
    pub(crate) fn begin_http(
        &self,
        request: &mut Request,
        client: Option<SocketAddr>,
    ) -> Result<HttpCall, Box<Response<Body>>> {
        let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        Ok(HttpCall {
            start: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            request_bytes: length.unwrap_or_default(),
            traced: self.trace_http(request, client)?,
            observer: self.clone(),
        })
    }

    fn trace_http(
        &self,
        request: &mut Request,
        client: Option<SocketAddr>,
    ) -> Result<Option<Traced>, Box<Response<Body>>> {
        if self.tracer.is_off() {
            drop_lone_state(request.headers_mut());
            return Ok(None);
        }
        if is_health_check(request.uri()) || is_own_export(request) {
            return Ok(None);
        }
        let refused = |error: InvalidBaggage| Box::new(plain::text(StatusCode::BAD_REQUEST, format!("{error}\n")));
        let baggage = HeaderValue::try_from(check_baggage(request.headers()).map_err(refused)?);
        let baggage = baggage.ok().filter(|baggage| !baggage.is_empty());
        let parent = SpanContext::of_headers(request.headers());
        let span = self.tracer.start(request.uri().path().to_owned(), SpanKind::Client, &parent);
        if span.is_recorded() {
            describe_caller(&span, request.headers());
            describe_path(&span, request.method(), request.uri());
            describe_client(&span, client);
        }
        span.context().write_headers(request.headers_mut());
        if span.context().is_valid() {
            request.extensions_mut().insert(span.clone());
        }
        Ok(Some(Traced { span, baggage }))
    }
}

impl HttpCall {
    /// Takes note of the answer, at its end when its size is not known before.
    pub(crate) fn answered(mut self, mut response: Response<Body>) -> Response<Body> {
        if let Some(traced) = self.traced.take() {
            traced.answered(&mut response);
        }
        if !self.observer.metrics.is_enabled() {
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
    }
}

/// A call that gets a line in the log.
pub(crate) struct LoggedCall {
    start: Instant,
    /// Verb and path, or the name of the endpoint.
    method: String,
    agent: Option<String>,
}

impl Observer {
    /// Takes note of a call for the log. Those that are refused before they reach an endpoint have no line there (Dapr 1.18).
    pub(crate) fn begin_log(&self, request: &Request) -> Option<LoggedCall> {
        let CallLog { obfuscate, omit_health } = self.log?;
        if omit_health && is_health_check(request.uri()) {
            return None;
        }
        let (method, path) = (request.method(), request.uri().path());
        let method = if obfuscate { name(method, path) } else { format!("{method} {path}") };
        Some(LoggedCall { start: Instant::now(), method, agent: self.agent(request.headers()) })
    }
}

impl LoggedCall {
    /// Writes the line, at the end of the answer when its size is not known before.
    pub(crate) fn answered(self, response: Response<Body>) -> Response<Body> {
        let status = response.status();
        match response.body().size_hint().exact() {
            Some(size) => self.write(status, size),
            None => return response.map(|body| watched(body, move |end| self.write(status, end.bytes))),
        }
        response
    }

    fn write(&self, status: StatusCode, size: u64) {
        let Self { start, method, agent } = self;
        let (code, duration) = (status.as_u16(), start.elapsed().as_millis());
        tracing::info!(target: "dapr.runtime.http-info", code, duration, method, size, useragent = agent, "HTTP API Called");
    }
}

impl Traced {
    /// The answer tells the trace, unless the app told one itself.
    fn answered(self, response: &mut Response<Body>) {
        let Self { span, baggage } = self;
        if span.is_recorded() {
            span.set("dapr.status_code", response.status().as_str());
            span.fail_for_status(response.status());
            span.end();
        }
        let headers = response.headers_mut();
        if span.context().is_valid() && !headers.contains_key(TRACEPARENT) {
            span.context().write_headers(headers);
        }
        headers.extend(baggage.map(|baggage| (BAGGAGE, baggage)));
    }
}

/// Without a trace its state means nothing.
fn drop_lone_state(headers: &mut HeaderMap) {
    if !headers.contains_key(TRACEPARENT) {
        headers.remove(TRACESTATE);
    }
}

/// Exports of the app would have traces of traces.
fn is_own_export(request: &Request) -> bool {
    is_export(request.method(), request.uri().path()) && !names_app(request.headers())
}

fn is_health_check(uri: &Uri) -> bool {
    uri.path().contains("/healthz")
}
