//! Requests on their way to what is no app: the first, and those that redirects ask for (surface.md 0.13).
use crate::error::Error;
use axum::body::Body;
use component_api::middleware;
use foundation_peer::Payload;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION, REFERER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body as _;

/// One request of several.
pub(super) struct Hop {
    pub(super) uri: Uri,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
}

impl Hop {
    /// What came out of a pipeline. A body of known length can be sent again.
    pub(super) async fn of(request: middleware::Request) -> Result<(Self, Payload), Error> {
        let (head, body) = request.into_parts();
        let payload = match body.size_hint().exact() {
            Some(_) => Payload::Whole(body.read(usize::MAX).await.map_err(|error| Error::Body(error.to_string()))?),
            None => Payload::Stream(Body::new(body)),
        };
        Ok((Self { uri: head.uri, method: head.method, headers: head.headers }, payload))
    }

    pub(super) fn request(&self, body: Body) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// The request that a redirect asks for. 301 to 303 lose the body, as Go's client does it.
    pub(super) fn next(&self, response: &Response<Body>, replayable: bool) -> Option<Self> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
