//! Method calls of an HTTP app.
use super::{Caller, Connections};
use crate::connection::Broken;
use crate::gzip::{gunzip, offer_gzip};
use crate::headers::{TOKEN, request_to_http};
use crate::{CallContext, Error};
use axum::body::Body;
use component_api::middleware;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING, UPGRADE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use std::time::Instant;

/// What Dapr's own client sends when the caller names no agent.
pub const AGENT: HeaderValue = HeaderValue::from_static("Go-http-client/1.1");
const CHUNKED: HeaderValue = HeaderValue::from_static("chunked");
const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

impl Caller {
    pub(super) async fn invoke(&self, request: Request<Body>) -> Result<Response<Body>, Error> {
        let (mut head, body) = request.into_parts();
        let context = head.extensions.remove::<CallContext>().unwrap_or_default();
        prepare(&mut head, &context)?;
        if let Some(token) = &self.token {
            head.headers.insert(TOKEN, token.clone());
        }
        if context.upgrade {
            return self.upgrade(head, body).await;
        }
        if self.options.pipeline.is_empty() {
            return self.exchange(head, body).await;
        }
        head.uri = self.absolute(&head.uri);
        self.pass_pipeline(Request::from_parts(head, body)).await
    }

    /// Sends a request through `appHttpPipeline` to the app.
    async fn pass_pipeline(&self, request: Request<Body>) -> Result<Response<Body>, Error> {
        let request = request.map(middleware::Body::new);
        let response = self.options.pipeline.run(request, |request| self.leave_pipeline(request)).await?;
        Ok(response.map(Body::new))
    }

    async fn leave_pipeline(&self, request: middleware::Request) -> Result<middleware::Response, Error> {
        let (mut head, body) = request.into_parts();
        head.uri = path_only(&head.uri);
        Ok(self.exchange(head, Body::new(body)).await?.map(middleware::Body::new))
    }

    async fn exchange(&self, mut head: Parts, body: Body) -> Result<Response<Body>, Error> {
        frame(&head.method, &mut head.headers, &body);
        let inflate = offer_gzip(&head.method, &mut head.headers);
        let mut response = self.send_counted(Request::from_parts(head, body)).await?;
        response = if inflate { gunzip(response) } else { response };
        strip(response.headers_mut());
        Ok(response)
    }
}

impl Caller {
    /// Asks the app for a WebSocket; `said` is what the caller will say. Pipelines and metrics are for calls that end.
    async fn upgrade(&self, mut head: Parts, said: Body) -> Result<Response<Body>, Error> {
        let Connections::Http1(pool) = &self.connections else { return self.exchange(head, Body::empty()).await };
        head.headers.insert(HOST, self.host.clone());
        head.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        head.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        let turn = self.turns.take().await;
        let mut response = pool.upgrade(Request::from_parts(head, Body::empty()), said, turn).await?;
        strip(response.headers_mut());
        Ok(response)
    }

    /// An app that gave no answer counts as one that failed.
    async fn send_counted(&self, request: Request<Body>) -> Result<Response<Body>, Broken> {
        let metrics = &self.options.metrics;
        if !metrics.is_enabled() {
            return self.send(request).await;
        }
        let (method, uri) = (request.method().clone(), request.uri().clone());
        metrics.http_client_sent(method.as_str(), uri.path(), request.body().size_hint().exact().unwrap_or_default());
        let start = Instant::now();
        let sent = self.send(request).await;
        let status = sent.as_ref().map_or(StatusCode::INTERNAL_SERVER_ERROR, Response::status);
        let bytes = sent.as_ref().ok().and_then(|response| length(response.headers())).unwrap_or_default();
        metrics.http_client_completed(method.as_str(), uri.path(), status.as_u16(), bytes, start.elapsed());
        sent
    }
}

fn prepare(head: &mut Parts, context: &CallContext) -> Result<(), Error> {
    head.method = verb(&head.method, context)?;
    head.version = Version::HTTP_11;
    head.uri = path_only(&head.uri);
    request_to_http(&mut head.headers);
    if !context.type_url.is_empty() {
        head.headers.insert(CONTENT_TYPE, PROTOBUF);
    }
    head.headers.entry(USER_AGENT).or_insert(AGENT);
    Ok(())
}

/// Verbs that no HTTP API knows reach the app as POST (surface.md 0.12).
fn verb(method: &Method, context: &CallContext) -> Result<Method, Error> {
    match *method {
        _ if context.no_verb => Err(Error::Verb),
        Method::CONNECT => Err(Error::Verb),
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::DELETE
        | Method::OPTIONS
        | Method::TRACE
        | Method::PATCH => Ok(method.clone()),
        _ => Ok(Method::POST),
    }
}

fn path_only(uri: &Uri) -> Uri {
    match uri.path_and_query() {
        Some(path) if path.as_str().starts_with('/') => Uri::from(path.clone()),
        _ => Uri::from_static("/"),
    }
}

/// A body that knows its length says so itself; one that does not may go with the length that its sender named.
fn frame(method: &Method, headers: &mut HeaderMap, body: &Body) {
    let exact = body.size_hint().exact();
    let named = length(headers);
    if exact.is_some() || named.is_none() {
        headers.remove(CONTENT_LENGTH);
    }
    let rarely_with_body = matches!(*method, Method::GET | Method::HEAD);
    if rarely_with_body && exact.is_none() && named.is_none() && !body.is_end_stream() {
        headers.insert(TRANSFER_ENCODING, CHUNKED);
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Leaves out what belongs to the connection, and the length, which may not fit what the app really sends.
fn strip(headers: &mut HeaderMap) {
    headers.remove(CONTENT_LENGTH);
    crate::headers::remove_hop_by_hop(headers);
}
