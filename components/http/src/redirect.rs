//! Where a redirect leads, as Go's HTTP client follows it.
use crate::request::Request;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION};
use http::{HeaderMap, Method, StatusCode, Uri};

/// Redirects that are followed before the operation fails.
pub(crate) const MOST: usize = 10;

/// The request that an answer asks for, if it does. 301 to 303 lose the body; another host does not get credentials.
pub(crate) fn next(request: &Request, status: StatusCode, headers: &HeaderMap) -> Option<Request> {
    let keeps_body = match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => false,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        _ => return None,
    };
    let mut next = request.clone();
    next.uri = resolve(&request.uri, headers.get(LOCATION)?.to_str().ok()?)?;
    if next.uri.authority() != request.uri.authority() {
        [AUTHORIZATION, COOKIE].iter().for_each(|name| drop(next.headers.remove(name)));
    }
    if !keeps_body {
        next.headers.remove(CONTENT_TYPE);
        next.body = Bytes::new();
        next.method = if request.method == Method::HEAD { Method::HEAD } else { Method::GET };
    }
    Some(next)
}

fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    if location.contains("://") {
        return location.parse().ok();
    }
    let mut parts = base.clone().into_parts();
    if let Some(rest) = location.strip_prefix("//") {
        return format!("{}://{rest}", base.scheme_str()?).parse().ok();
    }
    let path = match location.strip_prefix('/') {
        Some(_) => location.to_owned(),
        None => format!("{}/{location}", base.path().rsplit_once('/')?.0),
    };
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn followed(status: u16, location: &'static str) -> Option<Request> {
        let headers =
            [(AUTHORIZATION, "x"), (CONTENT_TYPE, "y")].map(|(name, value)| (name, HeaderValue::from_static(value)));
        let request = Request {
            method: Method::POST,
            uri: "http://one/a/b".parse().unwrap(),
            headers: headers.into_iter().collect(),
            body: Bytes::from_static(b"1"),
        };
        let answer = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(location))]);
        next(&request, StatusCode::from_u16(status).unwrap(), &answer)
    }

    #[test]
    fn some_redirects_keep_the_body() {
        let kept = followed(307, "/m").unwrap();
        assert_eq!((kept.method, kept.uri.to_string(), kept.body.len()), (Method::POST, "http://one/m".to_owned(), 1));
        let lost = followed(302, "c").unwrap();
        assert_eq!((lost.method, lost.uri.to_string(), lost.body.len()), (Method::GET, "http://one/a/c".to_owned(), 0));
        assert!(!lost.headers.contains_key(CONTENT_TYPE) && lost.headers.contains_key(AUTHORIZATION));
        assert!(followed(304, "/m").is_none());
    }

    #[test]
    fn another_host_gets_no_credentials() {
        for location in ["http://two/m", "//two/m"] {
            let next = followed(308, location).unwrap();
            assert_eq!(next.uri.to_string(), "http://two/m");
            assert!(!next.headers.contains_key(AUTHORIZATION));
        }
    }
}
