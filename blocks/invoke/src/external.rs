//! Calls of what is no app: HTTPEndpoint resources by name, and absolute URLs (protocols.md 6.5, surface.md 0.13).
mod client;
mod secure;

pub use client::ClientTls;

use crate::error::Error;
use crate::upgrade::take_mark;
use crate::url::path_and_query;
use axum::body::Body;
use bytes::Bytes;
use client::{Client, Clients, InvalidTls};
use component_api::middleware::{self, Pipeline};
use foundation_app::{AGENT, answer_to_http, gunzip, offer_gzip};
use foundation_peer::{Answer, Head, Outcome, Payload};
use foundation_redirect::{Hop, MOST, Redirect};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body as _;
use std::collections::BTreeMap;
use std::sync::Arc;

const SCOPE: &str = "dapr.runtime.channels";

/// Where an HTTPEndpoint is, and what it wants in every request.
#[derive(Clone, Debug, Default)]
pub struct HttpEndpoint {
    pub base_url: String,
    /// Replace headers of the caller.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Certificates, if there are any.
    pub tls: Option<ClientTls>,
}

/// An endpoint that can be called, unless its certificates are unusable.
#[derive(Debug, Default)]
pub(crate) struct Endpoint {
    /// As callers name it.
    pub(crate) name: String,
    pub(crate) base_url: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// With certificates of its own.
    client: Option<Result<Client, InvalidTls>>,
}

/// The HTTPEndpoint resources, and the clients for them.
#[derive(Debug, Default)]
pub(crate) struct External {
    endpoints: BTreeMap<String, Arc<Endpoint>>,
    pipeline: Pipeline,
    clients: Clients,
}

impl Endpoint {
    /// One that is wrong must not keep the others from being called: it is logged, and fails when it is called.
    fn new(name: String, endpoint: HttpEndpoint) -> Self {
        let HttpEndpoint { base_url, headers, tls } = endpoint;
        let client = tls.as_ref().map(Client::new);
        if let Some(Err(error)) = &client {
            tracing::error!(target: SCOPE, "HTTPEndpoint {name} cannot be called, check its clientTLS: {error}");
        }
        Self { name, base_url, headers, client }
    }

    /// The client with its own certificates, if it has any.
    fn client(&self) -> Result<Option<&Client>, Error> {
        let unusable = |error| Error::External(format!("the TLS settings of {} are unusable: {error}", self.name));
        self.client.as_ref().map(Result::as_ref).transpose().map_err(unusable)
    }
}

impl External {
    /// Requests pass `pipeline` on their way, as those to the own app do.
    pub(crate) fn new(endpoints: BTreeMap<String, HttpEndpoint>, pipeline: Pipeline) -> Self {
        let endpoint = |(name, endpoint): (String, _)| (name.clone(), Arc::new(Endpoint::new(name, endpoint)));
        let endpoints = endpoints.into_iter().map(endpoint).collect();
        Self { endpoints, pipeline, clients: Clients::default() }
    }

    /// The endpoint that a URL is.
    pub(crate) fn of_url(&self, target: &str) -> Option<Endpoint> {
        absolute(target).map(|base_url| Endpoint { name: target.to_owned(), base_url, ..Endpoint::default() })
    }

    /// The HTTPEndpoint resource of that name.
    pub(crate) fn named(&self, target: &str) -> Option<Arc<Endpoint>> {
        self.endpoints.get(target).cloned()
    }

    /// Calls an endpoint.
    pub(crate) async fn call(&self, endpoint: &Endpoint, mut head: Head, payload: Payload) -> Result<Answer, Error> {
        // There are no WebSockets here: it is a call without a body.
        let payload = if take_mark(&mut head.headers) { Payload::Whole(Bytes::new()) } else { payload };
        let uri = format!("{}{}", endpoint.base_url, path_and_query(&head.method, &head.query)?);
        let method = head.verb.clone().unwrap_or(Method::POST);
        let hop = Hop::new(method, &uri, headers(head, endpoint));
        let hop = hop.map_err(|error| Error::External(format!("the URL of {}: {error}", endpoint.name)))?;
        let client = endpoint.client()?;
        let response = if self.pipeline.is_empty() {
            self.follow(client, hop, payload).await
        } else {
            self.pass_pipeline(client, hop, payload).await
        };
        Ok(answer(response?))
    }

    async fn pass_pipeline(
        &self,
        client: Option<&Client>,
        hop: Hop,
        payload: Payload,
    ) -> Result<Response<Body>, Error> {
        let request = request(&hop, payload.into_body()).map(middleware::Body::new);
        Ok(self.pipeline.run(request, |request| self.leave_pipeline(client, request)).await?.map(Body::new))
    }

    async fn leave_pipeline(
        &self,
        client: Option<&Client>,
        request: middleware::Request,
    ) -> Result<middleware::Response, Error> {
        let (hop, payload) = taken_apart(request).await?;
        Ok(self.follow(client, hop, payload).await?.map(middleware::Body::new))
    }

    /// Sends a request, and those that redirects ask for as long as the body can be sent again.
    async fn follow(&self, client: Option<&Client>, mut hop: Hop, payload: Payload) -> Result<Response<Body>, Error> {
        let mut payload = Some(payload);
        let inflate = offer_gzip(&hop.method, &mut hop.headers);
        for _ in 0..MOST {
            let (body, again) = split(payload.take());
            let sent = self.clients.request(client, request(&hop, body)).await;
            let failed = |reason| Error::External(format!("{} \"{}\": {reason}", hop.method, hop.uri));
            let response = sent.map_err(failed)?;
            match hop.next(response.status(), response.headers(), again.is_some()) {
                Some(Redirect { hop: next, with_body }) => {
                    (hop, payload) = (next, again.filter(|_| with_body).map(Payload::Whole));
                }
                None if inflate => return Ok(gunzip(response)),
                None => return Ok(response),
            }
        }
        Err(Error::External(format!("Get \"{}\": stopped after {MOST} redirects", hop.uri)))
    }
}

/// An absolute URL, of which the cleaning of paths may have taken a slash.
fn absolute(target: &str) -> Option<String> {
    let schemes = ["http", "https"].into_iter();
    schemes.filter_map(|scheme| Some((scheme, target.strip_prefix(scheme)?.strip_prefix(":/")?))).find_map(
        |(scheme, rest)| {
            let host = rest.trim_start_matches('/');
            (!host.is_empty()).then(|| format!("{scheme}://{host}"))
        },
    )
}

fn headers(head: Head, endpoint: &Endpoint) -> HeaderMap {
    let mut headers = head.headers;
    let has_none = |length: &&HeaderValue| *length == "0" && matches!(head.verb, Some(Method::GET | Method::HEAD));
    let length = headers.get(CONTENT_LENGTH).filter(|length| !has_none(length)).cloned();
    answer_to_http(&mut headers);
    headers.remove(HOST);
    headers.remove(CONTENT_TYPE);
    headers.entry(USER_AGENT).or_insert(AGENT);
    headers.extend(length.map(|length| (CONTENT_LENGTH, length)));
    headers.extend(head.content_type.map(|value| (CONTENT_TYPE, value)));
    // The host is always the URL's, as in Go's client.
    let own = endpoint.headers.iter().filter(|(name, _)| *name != HOST);
    own.for_each(|(name, value)| drop(headers.insert(name, value.clone())));
    headers
}

fn request(hop: &Hop, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = hop.method.clone();
    *request.uri_mut() = hop.uri.clone();
    *request.headers_mut() = hop.headers.clone();
    request
}

/// What came out of a pipeline. A body of known length can be sent again.
async fn taken_apart(request: middleware::Request) -> Result<(Hop, Payload), Error> {
    let (head, body) = request.into_parts();
    let payload = match body.size_hint().exact() {
        Some(_) => Payload::Whole(body.read(usize::MAX).await.map_err(|error| Error::Body(error.to_string()))?),
        None => Payload::Stream(Body::new(body)),
    };
    Ok((Hop { uri: head.uri, method: head.method, headers: head.headers }, payload))
}

/// The body, and its bytes if there may be another request with it.
fn split(payload: Option<Payload>) -> (Body, Option<Bytes>) {
    match payload {
        Some(Payload::Whole(bytes)) => (Payload::Whole(bytes.clone()).into_body(), Some(bytes)),
        Some(stream) => (stream.into_body(), None),
        None => (Body::empty(), Some(Bytes::new())),
    }
}

fn answer(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let content_type = parts.headers.get(CONTENT_TYPE).cloned();
    Answer { outcome: Outcome::Http(parts.status), headers: parts.headers, content_type, type_url: String::new(), body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_from_names() {
        assert_eq!(absolute("http://host:80/base").as_deref(), Some("http://host:80/base"));
        assert_eq!(absolute("https:/host").as_deref(), Some("https://host"));
        assert_eq!(absolute("httpapp"), None);
    }
}
