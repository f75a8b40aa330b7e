//! Calls of the gRPC API, and of the internal port.
use super::{BAGGAGE, Observer, Traced, describe_caller};
use axum::body::Body;
use axum::extract::Request;
use foundation_fault::code_of;
use foundation_telemetry::{
    BodyBytes, GRPC_TRACE_BIN, GrpcBytes, InvalidBaggage, SpanContext, SpanKind, TRACEPARENT, TRACESTATE,
    check_baggage, counted, grpc_code, grpc_code_name, watched,
};
use http::{HeaderMap, HeaderValue, Response, Uri};
use std::time::Instant;
use tonic::Status;

/// The caller went away before the end.
const CANCELED: i32 = 1;
/// Its answers do not tell the trace.
const INVOKE_SERVICE: &str = "/dapr.proto.runtime.v1.Dapr/InvokeService";
/// Names of the app that a call is passed on to.
const TARGETS: [&str; 2] = ["dapr-callee-app-id", "dapr-app-id"];

/// What a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// One message each way, by a client of the API.
    Unary,
    /// Streams of the API, which Dapr does not count.
    Stream,
    /// One message each way, by another sidecar.
    InternalUnary,
    /// Streams between sidecars.
    InternalStream,
    /// Passed on to another process by the API server.
    Proxied,
    /// Passed on to the app by the internal server, where it counts as a call of a client.
    ProxiedToApp,
    /// Neither counted nor traced.
    Not,
}

/// A gRPC call that has begun.
pub(crate) struct GrpcCall {
    observer: Observer,
    counted: Counted,
    start: Instant,
    uri: Uri,
    agent: Option<String>,
    received: BodyBytes,
    traced: Option<Traced>,
}

impl Observer {
    /// Takes note of a gRPC call, whose metadata gets the trace that is to be handed on.
    ///
    /// # Errors
    /// The answer to a call whose baggage is malformed.
    pub(crate) fn begin_grpc(
        &self,
        kind: Counted,
        request: Request,
    ) -> Result<(GrpcCall, Request), Box<Response<Body>>> {
        let refused = |error: InvalidBaggage| Box::new(Status::invalid_argument(error.to_string()).into_http());
        let (mut head, body) = request.into_parts();
        let traced = self.trace_grpc(kind, &mut head).map_err(refused)?;
        let (body, received) =
            if kind.has_sizes() && self.metrics.is_enabled() { counted(body) } else { (body, BodyBytes::default()) };
        let (uri, agent) = (head.uri.clone(), self.agent(&head.headers));
        let (observer, start) = (self.clone(), Instant::now());
        let call = GrpcCall { observer, counted: kind, start, uri, agent, received, traced };
        Ok((call, Request::from_parts(head, body)))
    }

    fn trace_grpc(&self, kind: Counted, head: &mut http::request::Parts) -> Result<Option<Traced>, InvalidBaggage> {
        if self.tracer.is_off() && head.uri.path() == INVOKE_SERVICE {
            // Dapr hands on only the binary form from gRPC callers that are not traced.
            head.headers.remove(TRACEPARENT);
            head.headers.remove(TRACESTATE);
        }
        let Some(span_kind) = self.span_kind(kind, &head.headers) else { return Ok(None) };
        let baggage = HeaderValue::try_from(check_baggage(&head.headers)?).ok().filter(|baggage| !baggage.is_empty());
        let method = head.uri.path().to_owned();
        let span = self.tracer.start(method.clone(), span_kind, &SpanContext::of_metadata(&head.headers));
        if span.is_recorded() {
            describe_caller(&span, &head.headers);
            if !kind.is_proxied() {
                span.set("dapr.protocol", "grpc");
                span.set("dapr.api", method);
            }
        }
        if span.context().is_valid() || !kind.is_proxied() {
            span.context().write_metadata(&mut head.headers);
        }
        if span.context().is_valid() {
            head.extensions.insert(span.clone());
        }
        Ok(Some(Traced { span, baggage }))
    }

    /// What the sidecar is to the caller; none for a call that is not traced.
    fn span_kind(&self, kind: Counted, metadata: &HeaderMap) -> Option<SpanKind> {
        if self.tracer.is_off() {
            return None;
        }
        match kind {
            Counted::Unary | Counted::Stream => Some(SpanKind::Client),
            Counted::InternalUnary | Counted::InternalStream => Some(SpanKind::Server),
            Counted::Proxied | Counted::ProxiedToApp => {
                let target = TARGETS.into_iter().find_map(|name| metadata.get(name))?;
                let own = target.as_bytes() == self.app_id.as_bytes();
                Some(if own { SpanKind::Server } else { SpanKind::Client })
            }
            Counted::Not => None,
        }
    }
}

impl Counted {
    fn has_sizes(self) -> bool {
        matches!(self, Self::Unary | Self::InternalUnary)
    }

    fn is_proxied(self) -> bool {
        matches!(self, Self::Proxied | Self::ProxiedToApp)
    }
}

impl GrpcCall {
    /// Takes note of the end of the answer, which is where its code stands.
    pub(crate) fn answered(self, mut response: Response<Body>) -> Response<Body> {
        self.tell_trace(response.headers_mut());
        if !self.observer.observes() && self.traced.is_none() {
            return response;
        }
        if let Some(code) = response.extensions().get::<Status>().and_then(code_of) {
            self.observer.metrics.error_code(code.name(), code.category.label());
        }
        if let Some(code) = grpc_code(response.headers()) {
            self.ended(code, 0);
            return response;
        }
        response.map(|body| watched(body, move |end| self.ended(end.grpc_code.unwrap_or(CANCELED), end.bytes)))
    }

    fn tell_trace(&self, headers: &mut HeaderMap) {
        let Some(Traced { span, baggage }) = &self.traced else { return };
        if !self.counted.is_proxied() && self.uri.path() != INVOKE_SERVICE {
            headers.extend(span.context().binary_value().map(|binary| (GRPC_TRACE_BIN, binary)));
        }
        headers.extend(baggage.clone().map(|baggage| (BAGGAGE, baggage)));
    }

    fn ended(&self, code: i32, sent: u64) {
        self.count(code, sent);
        if let Some(Traced { span, .. }) = &self.traced {
            if code != 0 {
                span.fail(grpc_code_name(code));
            }
            span.end();
        }
        if self.observer.log.is_some() {
            self.log(code);
        }
    }

    fn count(&self, code: i32, sent: u64) {
        let (method, metrics, elapsed) = (self.uri.path(), &self.observer.metrics, self.start.elapsed());
        match self.counted {
            Counted::Unary | Counted::InternalUnary => {
                let bytes = GrpcBytes::of_frames(self.received.read(), sent);
                metrics.grpc_served(method, code, Some(bytes), elapsed);
            }
            Counted::Proxied => metrics.grpc_served(method, code, None, elapsed),
            Counted::ProxiedToApp => metrics.grpc_client_completed(method, code, None, elapsed),
            Counted::Stream | Counted::InternalStream | Counted::Not => {}
        }
    }

    fn log(&self, code: i32) {
        let (method, agent, duration) = (self.uri.path(), &self.agent, self.start.elapsed().as_millis());
        tracing::info!(target: "dapr.runtime.grpc.api-info", code, duration, method, useragent = agent, "gRPC API Called");
    }
}
