//! Calls of what is no app: HTTPEndpoint resources by name, and absolute URLs (protocols.md 6.5, surface.md 0.13).
use crate::error::Error;
use crate::url::path_and_query;
use axum::body::Body;
use bytes::Bytes;
use component_api::middleware::{self, Pipeline};
use foundation_app::answer_to_http;
use foundation_peer::{Answer, Head, Outcome, Payload};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderName, LOCATION, REFERER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::collections::BTreeMap;

/// Redirects that are followed before the call fails.
const MOST_REDIRECTS: usize = 10;

/// Where an HTTPEndpoint is, and what it wants in every request.
#[derive(Clone, Debug, Default)]
pub struct HttpEndpoint {
    pub base_url: String,
    /// Replace headers of the caller.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// The HTTPEndpoint resources, and the client for them.
#[derive(Debug)]
pub(crate) struct External {
    endpoints: BTreeMap<String, HttpEndpoint>,
    pipeline: Pipeline,
    client: Client<HttpConnector, Body>,
}

impl External {
    /// Requests pass `pipeline` on their way, as those to the own app do.
    pub(crate) fn new(endpoints: BTreeMap<String, HttpEndpoint>, pipeline: Pipeline) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { endpoints, pipeline, client: Client::builder(TokioExecutor::new()).build(connector) }
    }

    /// The endpoint that a URL is.
    pub(crate) fn of_url(&self, target: &str) -> Option<HttpEndpoint> {
        absolute(target).map(|base_url| HttpEndpoint { base_url, headers: Vec::new() })
    }

    /// The HTTPEndpoint resource of that name.
    pub(crate) fn named(&self, target: &str) -> Option<HttpEndpoint> {
        self.endpoints.get(target).cloned()
    }

    /// Calls an endpoint.
    pub(crate) async fn call(&self, endpoint: HttpEndpoint, head: Head, payload: Payload) -> Result<Answer, Error> {
        let uri = format!("{}{}", endpoint.base_url, path_and_query(&head.method, &head.query)?);
        let hop = Hop {
            uri: uri.parse().map_err(|error| Error::External(format!("parse \"{uri}\": {error}")))?,
            method: head.verb.clone().unwrap_or(Method::POST),
            headers: headers(head, endpoint),
        };
        let response = if self.pipeline.is_empty() {
            self.follow(hop, payload).await
        } else {
            self.pass_pipeline(hop, payload).await
        };
        Ok(answer(response?))
    }

    async fn pass_pipeline(&self, hop: Hop, payload: Payload) -> Result<Response<Body>, Error> {
        let request = hop.request(payload.into_body()).map(middleware::Body::new);
        Ok(self.pipeline.run(request, |request| self.leave_pipeline(request)).await?.map(Body::new))
    }

    async fn leave_pipeline(&self, request: middleware::Request) -> Result<middleware::Response, Error> {
        let (hop, payload) = Hop::of(request).await?;
        Ok(self.follow(hop, payload).await?.map(middleware::Body::new))
    }

    /// Sends a request, and those that redirects ask for as long as the body can be sent again.
    async fn follow(&self, mut hop: Hop, payload: Payload) -> Result<Response<Body>, Error> {
        let mut payload = Some(payload);
        for _ in 0..MOST_REDIRECTS {
            let (body, again) = split(payload.take());
            let response = self.send(&hop, body).await?;
            match hop.next(&response, again.is_some()) {
                Some(next) => (hop, payload) = (next, again.map(Payload::Whole)),
                None => return Ok(response),
            }
        }
        Err(Error::External(format!("Get \"{}\": stopped after {MOST_REDIRECTS} redirects", hop.uri)))
    }

    async fn send(&self, hop: &Hop, body: Body) -> Result<Response<Body>, Error> {
        let response = self.client.request(hop.request(body)).await;
        let response =
            response.map_err(|error| Error::External(format!("{} \"{}\": {}", hop.method, hop.uri, reason(&error))))?;
        Ok(response.map(Body::new))
    }
}

/// One request of several.
struct Hop {
    uri: Uri,
    method: Method,
    headers: HeaderMap,
}

impl Hop {
    /// What came out of a pipeline. A body of known length can be sent again.
    async fn of(request: middleware::Request) -> Result<(Self, Payload), Error> {
        let (head, body) = request.into_parts();
        let payload = match body.size_hint().exact() {
            Some(_) => Payload::Whole(body.read(usize::MAX).await.map_err(|error| Error::Body(error.to_string()))?),
            None => Payload::Stream(Body::new(body)),
        };
        Ok((Self { uri: head.uri, method: head.method, headers: head.headers }, payload))
    }

    fn request(&self, body: Body) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// The request that a redirect asks for. 301 to 303 lose the body, as Go's client does it.
    fn next(&self, response: &Response<Body>, replayable: bool) -> Option<Self> {
        let location = response.headers().get(LOCATION)?.to_str().ok()?;
        let keeps_body = match response.status() {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => false,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT if replayable => true,
            _ => return None,
        };
        let uri = self.resolve(location)?;
        let mut headers = self.headers.clone();
        headers.insert(REFERER, HeaderValue::from_str(&self.uri.to_string()).ok()?);
        if uri.authority() != self.uri.authority() {
            [AUTHORIZATION, COOKIE].into_iter().for_each(|name| drop(headers.remove(name)));
        }
        if keeps_body {
            return Some(Self { uri, method: self.method.clone(), headers });
        }
        [CONTENT_TYPE, CONTENT_LENGTH].into_iter().for_each(|name| drop(headers.remove(name)));
        let method = if self.method == Method::HEAD { Method::HEAD } else { Method::GET };
        Some(Self { uri, method, headers })
    }

    fn resolve(&self, location: &str) -> Option<Uri> {
        if location.contains("://") {
            return location.parse().ok();
        }
        let mut parts = self.uri.clone().into_parts();
        let path = match location.strip_prefix('/') {
            Some(_) => location.to_owned(),
            None => format!("{}/{location}", self.uri.path().rsplit_once('/')?.0),
        };
        parts.path_and_query = Some(path.parse().ok()?);
        Uri::from_parts(parts).ok()
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

fn headers(head: Head, endpoint: HttpEndpoint) -> HeaderMap {
    let mut headers = head.headers;
    let length = headers.get(CONTENT_LENGTH).cloned();
    answer_to_http(&mut headers);
    headers.remove(HOST);
    headers.remove(CONTENT_TYPE);
    headers.extend(length.map(|length| (CONTENT_LENGTH, length)));
    headers.extend(head.content_type.map(|value| (CONTENT_TYPE, value)));
    endpoint.headers.into_iter().for_each(|(name, value)| drop(headers.insert(name, value)));
    headers
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

/// An error with its causes, which the library leaves out of its own text.
fn reason(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
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

    #[test]
    fn redirects_lose_body_and_credentials_of_another_host() {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("x"))]);
        let hop = Hop { uri: "http://one/a/b".parse().unwrap(), method: Method::POST, headers };
        let redirect = |status: u16, location: &str| {
            Response::builder().status(status).header(LOCATION, location).body(Body::empty()).unwrap()
        };
        let next = hop.next(&redirect(302, "/m"), true).unwrap();
        assert_eq!((next.method, next.uri.to_string()), (Method::GET, "http://one/m".to_owned()));
        assert!(next.headers.contains_key(AUTHORIZATION));
        let next = hop.next(&redirect(307, "http://two/m"), true).unwrap();
        assert_eq!((next.method, next.headers.contains_key(AUTHORIZATION)), (Method::POST, false));
        assert!(hop.next(&redirect(307, "/m"), false).is_none());
        assert!(hop.next(&redirect(304, "/m"), true).is_none());
    }
}
