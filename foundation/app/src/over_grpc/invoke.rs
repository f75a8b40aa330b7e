//! Method calls of a gRPC app: `OnInvoke`.
use super::Caller;
use crate::headers::request_to_grpc;
use crate::{AppStatus, CallContext, Called, Error, http_of};
use axum::body::Body;
use bytes::Bytes;
use foundation_grpc::{Answered, Deadline, Incoming, Once, framed, headers, read_answer};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use percent_encoding::percent_decode_str;
use prost::Message;
use prost_types::Any;
use serde_json::{Map, Value};
use tonic::Status;
use wire::common::v1::http_extension::Verb;
use wire::common::v1::{HttpExtension, InvokeRequest, InvokeResponse};

const ON_INVOKE: &str = "/dapr.proto.runtime.v1.AppCallback/OnInvoke";
const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

impl Caller {
    pub(super) async fn invoke(&self, request: Request<Body>) -> Result<Response<Body>, Error> {
        let (mut head, body) = request.into_parts();
        let context = head.extensions.remove::<CallContext>().unwrap_or_default();
        let deadline = head.extensions.remove::<Deadline>();
        let body = if context.upgrade { Body::empty() } else { body };
        let data = body.collect().await.map_err(|error| Error::Body(error.to_string()))?.to_bytes();
        let message = invoke_request(&head, &context, data)?;
        let metadata = request_to_grpc(head.headers, context.origin);
        let _turn = self.turns.take().await;
        Ok(match self.on_invoke(&message, metadata, deadline).await {
            Ok(answered) => good(answered),
            Err(status) => bad(status),
        })
    }

    /// By hand: a generated client mixes headers and trailers, and this is what most calls are.
    async fn on_invoke(
        &self,
        message: &InvokeRequest,
        metadata: HeaderMap,
        deadline: Option<Deadline>,
    ) -> Result<Answered<InvokeResponse>, Status> {
        let (size, length) = (self.max_message_size, message.encoded_len());
        if length > size {
            return Err(Status::resource_exhausted(format!(
                "trying to send message larger than max ({length} vs. {size})"
            )));
        }
        let mut request = Request::new(Body::new(Once::new(framed(message))));
        (*request.method_mut(), *request.uri_mut()) = (Method::POST, Uri::from_static(ON_INVOKE));
        *request.headers_mut() = headers(metadata);
        if let Some(deadline) = deadline {
            request.extensions_mut().insert(deadline);
        }
        read_answer(self.connection.call_counted(request).await?.map(Incoming), size).await
    }
}

fn invoke_request(head: &http::request::Parts, context: &CallContext, data: Bytes) -> Result<InvokeRequest, Error> {
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let verb = if context.no_verb { Verb::None } else { verb(&head.method) };
    let Called { method, query } = called(head, context)?;
    Ok(InvokeRequest {
        method,
        data: Some(Any { type_url: context.type_url.clone(), value: data.into() }),
        content_type: content_type.unwrap_or_default().to_owned(),
        http_extension: Some(HttpExtension { verb: verb.into(), querystring: query }),
    })
}

fn called(head: &http::request::Parts, context: &CallContext) -> Result<Called, Error> {
    if let Some(called) = &context.called {
        return Ok(called.clone());
    }
    let method = percent_decode_str(head.uri.path().trim_start_matches('/')).decode_utf8();
    let method = method.map_err(|_| Error::Body("the method is not UTF-8".to_owned()))?.into_owned();
    Ok(Called { method, query: head.uri.query().unwrap_or_default().to_owned() })
}

fn verb(method: &Method) -> Verb {
    match *method {
        Method::GET => Verb::Get,
        Method::HEAD => Verb::Head,
        Method::PUT => Verb::Put,
        Method::DELETE => Verb::Delete,
        Method::CONNECT => Verb::Connect,
        Method::OPTIONS => Verb::Options,
        Method::TRACE => Verb::Trace,
        Method::PATCH => Verb::Patch,
        _ => Verb::Post,
    }
}

fn good(answered: Answered<InvokeResponse>) -> Response<Body> {
    let InvokeResponse { data, content_type } = answered.message;
    let Any { type_url, value } = data.unwrap_or_default();
    let content_type = if type_url.is_empty() { HeaderValue::try_from(content_type).ok() } else { Some(PROTOBUF) };
    let mut response = Response::new(Body::from(value));
    *response.headers_mut() = answered.headers;
    response.headers_mut().remove(CONTENT_TYPE);
    if let Some(content_type) = content_type.filter(|value| !value.is_empty()) {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    let status = Status::ok("");
    response.extensions_mut().insert(AppStatus { status, trailers: answered.trailers, type_url });
    response
}

/// The form that HTTP callers get (surface.md 0.16).
fn bad(status: Status) -> Response<Body> {
    let mut body = Map::from_iter([("code".to_owned(), Value::from(status.code() as i32))]);
    if !status.message().is_empty() {
        body.insert("message".to_owned(), status.message().into());
    }
    let mut response = Response::new(Body::from(Value::Object(body).to_string()));
    *response.status_mut() = http_status(&status);
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    let trailers = status.metadata().clone().into_headers();
    response.extensions_mut().insert(AppStatus { status, trailers, type_url: String::new() });
    response
}

fn http_status(status: &Status) -> StatusCode {
    http_of(status.code())
}
