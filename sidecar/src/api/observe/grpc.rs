//! Calls of the gRPC API, and of the internal port.
use super::Observer;
use axum::body::Body;
use axum::extract::Request;
use foundation_fault::code_of;
use foundation_telemetry::{BodyBytes, GrpcBytes, counted, grpc_code, watched};
use http::{Response, Uri};
use std::time::Instant;
use tonic::Status;

/// The caller went away before the end.
const CANCELED: i32 = 1;

/// How a call is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// One message each way: as a call of this server, with sizes.
    Unary,
    /// Passed on to another process by the API server.
    Proxied,
    /// Passed on to the app by the internal server, where it counts as a call of a client.
    ProxiedToApp,
    /// Dapr does not count its own streams.
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
}

impl Observer {
    /// Takes note of a gRPC call.
    pub(crate) fn begin_grpc(&self, kind: Counted, request: Request) -> (GrpcCall, Request) {
        let (head, body) = request.into_parts();
        let unary = kind == Counted::Unary && self.metrics.is_enabled();
        let (body, received) = if unary { counted(body) } else { (body, BodyBytes::default()) };
        let (uri, agent) = (head.uri.clone(), self.agent(&head.headers));
        let call = GrpcCall { observer: self.clone(), counted: kind, start: Instant::now(), uri, agent, received };
        (call, Request::from_parts(head, body))
    }
}

impl GrpcCall {
    /// Takes note of the end of the answer, which is where its code stands.
    pub(crate) fn answered(self, response: Response<Body>) -> Response<Body> {
        if !self.observer.observes() {
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

    fn ended(&self, code: i32, sent: u64) {
        let (method, metrics, elapsed) = (self.uri.path(), &self.observer.metrics, self.start.elapsed());
        match self.counted {
            Counted::Unary => {
                let bytes = GrpcBytes::of_frames(self.received.read(), sent);
                metrics.grpc_served(method, code, Some(bytes), elapsed);
            }
            Counted::Proxied => metrics.grpc_served(method, code, None, elapsed),
            Counted::ProxiedToApp => metrics.grpc_client_completed(method, code, None, elapsed),
            Counted::Not => {}
        }
        if self.observer.log.is_some() {
            self.log(code);
        }
    }

    fn log(&self, code: i32) {
        let (method, agent, duration) = (self.uri.path(), &self.agent, self.start.elapsed().as_millis());
        tracing::info!(target: "dapr.runtime.grpc.api-info", code, duration, method, useragent = agent, "gRPC API Called");
    }
}
