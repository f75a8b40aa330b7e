//! The gRPC API: the Dapr service, reflection, and calls of any other service, which are passed on unread
//! (surface.md 2.1 and 2.2).
mod apart;
mod blocks;
mod dapr;
mod deadline;
mod described;
mod groups;
mod internal;
mod refusal;
mod server;

pub use blocks::Blocks;
pub use internal::Internal;
pub use server::{Answer, Server};

use crate::api::access::Access;
use crate::api::http::Token;
use crate::api::observe::{Counted, Observer};
use crate::api::panicked;
use anyhow::Context;
use axum::body::Body;
use axum::extract::Request;
use block_invoke::{Service as Invoke, names_app, note_authority, proxy};
use block_telemetry::SERVICES;
use dapr::Dapr;
use deadline::in_time;
use foundation_drain::isolated;
use foundation_grpc::{answer, receive, refusal as refused};
use groups::{INVOKE_SERVICE, SERVICE};
use http::Response;
use std::collections::HashMap;
use std::sync::Arc;
use tonic::Status;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tower::{Service, ServiceExt};
use wire::runtime::v1::dapr_server::{Dapr as _, DaprServer};

/// What workflow SDKs call.
const WORKFLOWS: &str = "/TaskHubSidecarService/";
const REFLECTION: &str = "/grpc.reflection.";
const ENCODING: &str = "grpc-encoding";
const TOKEN: &str = "dapr-api-token";
/// The group of exports in allow and deny lists.
const OTLP: &str = "otlp.v1";
const RUNTIME: &str = "/dapr.proto.runtime.";

/// What lies around the methods.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub token: Option<Token>,
    pub access: Access,
    /// Bytes of one message; 0 is without limit.
    pub max_message_size: usize,
}

/// The gRPC API.
pub struct Api {
    methods: Arc<Dapr>,
    dapr: DaprServer<Dapr>,
    reflection: Routes,
    telemetry: Routes,
    invoke: Arc<Invoke>,
    groups: HashMap<&'static str, &'static str>,
    settings: Settings,
    /// Bytes of one message.
    limit: usize,
    observer: Observer,
}

impl Api {
    /// # Errors
    /// When reflection cannot read the descriptors.
    pub fn new(blocks: Blocks, settings: Settings, observer: Observer) -> anyhow::Result<Self> {
        let invoke = Arc::clone(&blocks.invoke);
        let telemetry = block_telemetry::routes(Arc::clone(&blocks.telemetry));
        let limit = Some(settings.max_message_size).filter(|limit| *limit != 0).unwrap_or(usize::MAX);
        let methods = Arc::new(Dapr { blocks });
        let dapr = DaprServer::from_arc(Arc::clone(&methods));
        let dapr = dapr
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(limit)
            .max_encoding_message_size(limit);
        let groups = groups::by_method();
        Ok(Self { methods, dapr, reflection: reflection()?, telemetry, invoke, groups, settings, limit, observer })
    }

    /// Refuses what is not allowed, or comes without the token.
    fn admit(&self, request: &mut Request) -> Result<(), Status> {
        self.check_access(request)?;
        let Some(token) = &self.settings.token else { return Ok(()) };
        let shown = request.headers_mut().remove(TOKEN).ok_or_else(refusal::no_token)?;
        if token.is(shown.as_bytes()) { Ok(()) } else { Err(refusal::wrong_token()) }
    }

    fn check_access(&self, request: &Request) -> Result<(), Status> {
        let (access, path) = (&self.settings.access, request.uri().path());
        if !access.limits_grpc() || !(path.starts_with(RUNTIME) || is_export(request)) {
            return Ok(());
        }
        let method = path.strip_prefix(SERVICE);
        let group = method.and_then(|method| self.groups.get(method)).copied();
        let group = group.unwrap_or(if is_export(request) { OTLP } else { "" });
        if access.allows_grpc(group) { Ok(()) } else { Err(refusal::denied()) }
    }

    async fn route(&self, request: Request) -> Response<Body> {
        let path = request.uri().path();
        match path.strip_prefix(SERVICE) {
            Some(INVOKE_SERVICE) => return self.invoke_service(request).await,
            Some(method) if self.groups.contains_key(method) => return call(self.dapr.clone(), request).await,
            _ => {}
        }
        if path.starts_with(REFLECTION) {
            return call(self.reflection.clone(), request).await;
        }
        if is_export(&request) {
            return call(self.telemetry.clone(), request).await;
        }
        if path.starts_with(WORKFLOWS) && !names_app(request.headers()) {
            return Status::unimplemented("workflows are not in this build yet").into_http();
        }
        proxy(&self.invoke, request).await
    }

    /// The method that most calls are for, without the layers of a generated server where it can be.
    async fn invoke_service(&self, mut request: Request) -> Response<Body> {
        note_authority(&mut request);
        if is_compressed(&request) {
            return call(self.dapr.clone(), request).await;
        }
        let (head, body) = request.into_parts();
        let answered = match receive(body, self.limit).await {
            Ok(message) => {
                let metadata = MetadataMap::from_headers(head.headers);
                let request = tonic::Request::from_parts(metadata, head.extensions, message);
                self.methods.invoke_service(request).await
            }
            Err(status) => Err(status),
        };
        answered.map_or_else(refused, answer)
    }
}

impl Answer for Api {
    async fn answer(&self, mut request: Request) -> Response<Body> {
        if let Err(status) = self.admit(&mut request) {
            return status.into_http();
        }
        let path = request.uri().path();
        let counted = if is_export(&request) { Counted::Not } else { groups::counted(path, &self.groups) };
        match self.observer.begin_grpc(counted, request) {
            Ok((call, request)) => {
                let response =
                    isolated(in_time(request, |request| self.route(request))).await.unwrap_or_else(panicked::over_grpc);
                let response = refusal::as_too_large(response);
                apart::status_after_metadata(call.answered(response))
            }
            Err(refused) => *refused,
        }
    }
}

/// Whether the app exports telemetry to the sidecar. An app that is named gets the call all the same.
fn is_export(request: &Request) -> bool {
    request.uri().path().starts_with(SERVICES) && !names_app(request.headers())
}

fn is_compressed(request: &Request) -> bool {
    request.headers().get(ENCODING).is_some_and(|encoding| encoding != "identity")
}

/// Calls a service that cannot fail but with an answer.
async fn call<S, B>(service: S, request: Request) -> Response<Body>
where
    S: Service<Request, Response = Response<B>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match service.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => Status::internal(error.into().to_string()).into_http(),
    }
}

fn reflection() -> anyhow::Result<Routes> {
    let builder = || {
        tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(wire::FILE_DESCRIPTOR_SET)
    };
    let v1 = builder().build_v1().context("cannot serve reflection")?;
    let alpha = builder().build_v1alpha().context("cannot serve reflection")?;
    Ok(Routes::new(v1).add_service(alpha).prepare())
}
