//! The HTTP API: what lies around the endpoints, in Dapr's order (surface.md 1.1).
//!
//! It is one service written by hand and not a stack of layers: most requests pass through it in well under a microsecond.
mod h2c;
mod head;
mod names;
mod path;
pub(crate) mod plain;
mod server;
mod token;

pub(crate) use names::name;
pub use server::Server;
pub use token::Token;

use crate::api::cors::Cors;
use crate::api::observe::Observer;
use crate::api::panicked;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::IntoResponse;
use block_invoke::{Service as Invoke, names_app, note_length};
use block_telemetry::is_export;
use component_api::middleware::{self, ClientAddress, Pipeline};
use foundation_drain::isolated;
use foundation_endpoint::bounded;
use foundation_fault::{Category, Code, Fault};
use http::header::ALLOW;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Response, StatusCode, Uri};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tonic::Code as Grpc;
use tower::ServiceExt;

const API: &str = "/v1.0";
const INVOKE: &str = "/v1.0/invoke/";
static NO_TEXT: Code =
    Code::new(StatusCode::BAD_REQUEST, Grpc::InvalidArgument, "ERR_MALFORMED_REQUEST", Category::Common);
/// Go's own allowance on top of what it was told.
const HEADER_SLACK: usize = 4096;

/// What lies around the endpoints.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub token: Option<Token>,
    pub cors: Option<Cors>,
    /// `httpPipeline`: what requests pass through.
    pub pipeline: Pipeline,
    /// Bytes; 0 is without limit.
    pub max_body_size: usize,
    /// Bytes of all headers.
    pub read_buffer_size: usize,
}

/// One HTTP API.
pub struct Api {
    router: Router,
    invoke: Option<Arc<Invoke>>,
    settings: Settings,
    observer: Observer,
}

/// The URI as the client sent it, where the one that endpoints see is another.
#[derive(Clone)]
struct Sent(Uri);

/// The header `Allow` of an app's answer, if it has one.
#[derive(Clone)]
struct OwnAllow(Option<HeaderValue>);

impl Api {
    /// `invoke` takes what `endpoints` does not; without it that is not found.
    pub fn new(endpoints: Router, invoke: Option<Arc<Invoke>>, settings: Settings, observer: Observer) -> Self {
        let router = match invoke.clone() {
            Some(invoke) => with_fallback(endpoints, invoke),
            None => block_host::not_found(endpoints),
        };
        Self { router, invoke, settings, observer }
    }

    /// A router as it is, with what lies around it.
    pub fn serving(router: Router, settings: Settings, observer: Observer) -> Self {
        Self { router, invoke: None, settings, observer }
    }

    /// Bytes of all headers that a request may have.
    pub(crate) fn max_header_bytes(&self) -> usize {
        self.settings.read_buffer_size.saturating_add(HEADER_SLACK)
    }

    /// Answers one request of a client.
    pub async fn answer(&self, request: Request, client: Option<SocketAddr>) -> Response<Body> {
        if header_bytes(&request) > self.max_header_bytes() {
            return plain::headers_too_large();
        }
        if path::check_escapes(request.uri().path()).is_err() {
            return plain::bad_request("400 Bad Request");
        }
        let mut request = self.limit(request);
        let call = match self.observer.begin_http(&mut request, client) {
            Ok(call) => call,
            Err(refused) => return *refused,
        };
        let admitted = isolated(self.admit(&mut request, client)).await;
        let response = admitted.unwrap_or_else(panicked::over_http);
        call.answered(response)
    }

    /// The body of the request stops with an error at the limit.
    fn limit(&self, request: Request) -> Request {
        match self.settings.max_body_size {
            0 => request,
            limit => request.map(|body| bounded(body, limit)),
        }
    }

    async fn admit(&self, request: &mut Request, client: Option<SocketAddr>) -> Response<Body> {
        let Some(cors) = &self.settings.cors else { return self.authenticate(request, client).await };
        if let Some(answer) = cors.preflight(request) {
            return answer;
        }
        let asked = cors.ask(request);
        let mut response = self.authenticate(request, client).await;
        asked.answer(&mut response);
        response
    }

    async fn authenticate(&self, request: &mut Request, client: Option<SocketAddr>) -> Response<Body> {
        if let Some(token) = &self.settings.token
            && !token.admits(request)
        {
            return plain::unauthorized();
        }
        let request = std::mem::take(request);
        if self.settings.pipeline.is_empty() {
            self.route(request).await
        } else {
            self.pass_pipeline(request, client).await
        }
    }

    async fn pass_pipeline(&self, mut request: Request, client: Option<SocketAddr>) -> Response<Body> {
        if let Some(path) = path::without_detours(request.uri().path()) {
            *request.uri_mut() = with_path(request.uri(), &path);
        }
        if let Some(client) = client {
            request.extensions_mut().insert(ClientAddress(client));
        }
        note_length(&mut request);
        let request = request.map(middleware::Body::new);
        match self.settings.pipeline.run(request, |request| self.leave_pipeline(request)).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
    }

    async fn leave_pipeline(&self, request: middleware::Request) -> Result<middleware::Response, Infallible> {
        Ok(self.route(request.map(Body::new)).await.map(middleware::Body::new))
    }

    async fn route(&self, request: Request) -> Response<Body> {
        let logged = self.observer.begin_log(&request);
        let response = self.answer_endpoint(request).await;
        match logged {
            Some(logged) => logged.answered(response),
            None => response,
        }
    }

    async fn answer_endpoint(&self, mut request: Request) -> Response<Body> {
        let path = path::clean(request.uri().path());
        if *request.method() == Method::HEAD || path.starts_with(INVOKE) || is_call_of_app(&request) {
            return self.invoke(request).await;
        }
        if path.starts_with(API) && !path::is_text(&path) {
            return Fault::new(&NO_TEXT, "the path is not UTF-8 when its escapes are resolved".to_owned())
                .into_response();
        }
        let seen = path::plus_as_space(path);
        if seen != request.uri().path() {
            let seen = with_path(request.uri(), &seen);
            let sent = std::mem::replace(request.uri_mut(), seen);
            request.extensions_mut().insert(Sent(sent));
        }
        match self.router.clone().oneshot(request).await {
            Ok(response) => without_foreign_allow(response),
            Err(never) => match never {},
        }
    }

    async fn invoke(&self, request: Request) -> Response<Body> {
        match &self.invoke {
            Some(invoke) => block_invoke::invoke(State(Arc::clone(invoke)), request).await,
            None => plain::not_found(),
        }
    }
}

/// What no endpoint matches is a call of an app.
fn with_fallback(endpoints: Router, invoke: Arc<Invoke>) -> Router {
    let again = Arc::clone(&invoke);
    let unrouted_method = async move |request: Request| unrouted(Arc::clone(&again), request).await;
    let unrouted_path = async move |request: Request| unrouted(Arc::clone(&invoke), request).await;
    endpoints.method_not_allowed_fallback(unrouted_method).fallback(unrouted_path)
}

async fn unrouted(invoke: Arc<Invoke>, mut request: Request) -> Response<Body> {
    if let Some(Sent(uri)) = request.extensions_mut().remove() {
        *request.uri_mut() = uri;
    }
    let mut response = block_invoke::invoke(State(invoke), request).await;
    let own = OwnAllow(response.headers().get(ALLOW).cloned());
    response.extensions_mut().insert(own);
    response
}

/// The router says which methods a path has; but what is unrouted is a call, and its answer that of the app alone.
fn without_foreign_allow(mut response: Response<Body>) -> Response<Body> {
    if let Some(OwnAllow(own)) = response.extensions_mut().remove() {
        response.headers_mut().remove(ALLOW);
        response.headers_mut().extend(own.map(|value| (ALLOW, value)));
    }
    response
}

/// Apps may have the paths of exports too.
fn is_call_of_app(request: &Request) -> bool {
    is_export(request.method(), request.uri().path()) && names_app(request.headers())
}

fn with_path(uri: &Uri, path: &str) -> Uri {
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(text).ok();
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

fn header_bytes(request: &Request) -> usize {
    let uri = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    uri + headers.sum::<usize>()
}
