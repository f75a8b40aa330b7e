//! Requests as an operation and its metadata ask for them.
use crate::Settings;
use bytes::Bytes;
use component_api::binding::Request as Operation;
use component_api::{Error, Metadata, Result};
use foundation_redirect::Hop;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("trilby/", env!("CARGO_PKG_VERSION")));
/// Set by the connection itself.
const OF_CONNECTION: [HeaderName; 3] = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING];
/// Written in lower case, unlike all other headers.
const TRACE: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// What a URL may not hold as it is.
const UNSAFE: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'\\').add(b'^').add(b'{').add(b'|').add(b'}');

/// A request that can be sent several times.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) hop: Hop,
    pub(crate) body: Bytes,
}

impl Request {
    /// # Errors
    /// An operation that is no verb, a URL or a header that cannot be.
    pub(crate) fn new(settings: &Settings, operation: Operation) -> Result<Self> {
        let Operation { operation, data, metadata } = operation;
        let method = verb(&operation)?;
        let with_body = matches!(method, Method::POST | Method::PUT | Method::PATCH);
        let url = url(&settings.url, metadata.get("path").map_or("", String::as_str));
        let headers = headers(settings, &metadata, with_body)?;
        let hop = Hop::new(method, &url, headers).map_err(|_| not_a_url())?;
        if hop.uri.scheme().is_none() || hop.uri.authority().is_none() {
            return Err(not_a_url());
        }
        Ok(Self { hop, body: if with_body { data } else { Bytes::new() } })
    }
}

/// `create` is what all bindings have.
fn verb(operation: &str) -> Result<Method> {
    match operation {
        "create" | "post" => Ok(Method::POST),
        "get" => Ok(Method::GET),
        "head" => Ok(Method::HEAD),
        "put" => Ok(Method::PUT),
        "patch" => Ok(Method::PATCH),
        "delete" => Ok(Method::DELETE),
        "options" => Ok(Method::OPTIONS),
        "trace" => Ok(Method::TRACE),
        other => Err(Error::unsupported(format!("invalid operation: {other}"))),
    }
}

fn url(url: &str, path: &str) -> String {
    let whole = match path {
        "" => url.to_owned(),
        path => format!("{}/{}", url.trim_end_matches('/'), path.trim_start_matches('/')),
    };
    let whole = whole.split('#').next().unwrap_or_default();
    utf8_percent_encode(whole, UNSAFE).to_string()
}

fn not_a_url() -> Error {
    Error::invalid("url with the path of the request is not an absolute URL such as https://host/path")
}

fn headers(settings: &Settings, metadata: &Metadata, with_body: bool) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, AGENT);
    headers.insert(ACCEPT, JSON);
    if with_body {
        headers.insert(CONTENT_TYPE, JSON);
    }
    let token = settings.security_token.expose();
    if !token.is_empty() && !settings.security_token_header.is_empty() {
        set(&mut headers, &settings.security_token_header, token)?;
    }
    let is_header = |name: &str| name.starts_with(|first: char| first.is_ascii_uppercase());
    for (name, value) in metadata.iter().filter(|(name, _)| is_header(name)) {
        set(&mut headers, name, value)?;
    }
    for (name, value) in TRACE.iter().filter_map(|name| Some((*name, metadata.get(*name)?))) {
        set(&mut headers, name, value)?;
    }
    OF_CONNECTION.iter().for_each(|name| drop(headers.remove(name)));
    Ok(headers)
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) -> Result<()> {
    let problem = || Error::invalid(format!("{name} cannot be sent as a header: look at its name and for line breaks"));
    let header = HeaderName::try_from(name).map_err(|_| problem())?;
    headers.insert(header, HeaderValue::try_from(value).map_err(|_| problem())?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(operation: &str, metadata: &[(&str, &str)]) -> Result<Request> {
        request_to("http://host/base/", operation, metadata)
    }

    fn request_to(url: &str, operation: &str, metadata: &[(&str, &str)]) -> Result<Request> {
        let settings = Settings {
            url: url.to_owned(),
            security_token: "t".into(),
            security_token_header: "x-token".to_owned(),
            ..Settings::default()
        };
        let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request::new(&settings, Operation { operation: operation.to_owned(), data: "1".into(), metadata })
    }

    #[test]
    fn a_path_is_appended() {
        let uri = |path: &str| request("get", &[("path", path)]).unwrap().hop.uri.to_string();
        assert_eq!(uri(""), "http://host/base/");
        assert_eq!(uri("/a/b?x=1 2#c"), "http://host/base/a/b?x=1%202");
        assert_eq!(uri("ü%2F"), "http://host/base/%C3%BC%2F");
    }

    #[test]
    fn metadata_in_upper_case_is_a_header() {
        let metadata =
            [("X-Custom", "1"), ("lower", "2"), ("traceparent", "00-1"), ("Host", "other"), ("Accept", "a/b")];
        let request = request("put", &metadata).unwrap();
        let value = |name: &str| request.hop.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!((value("x-custom"), value("lower"), value("host")), (Some("1"), None, None));
        assert_eq!((value("traceparent"), value("accept"), value("x-token")), (Some("00-1"), Some("a/b"), Some("t")));
        assert_eq!(
            (value("content-type"), request.body.as_ref()),
            (Some("application/json; charset=utf-8"), &b"1"[..])
        );
    }

    #[test]
    fn only_some_verbs_have_a_body() {
        let request = request("get", &[]).unwrap();
        assert!(request.body.is_empty() && !request.hop.headers.contains_key("content-type"));
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        assert_eq!(request("fetch", &[]).unwrap_err().to_string(), "invalid operation: fetch");
        assert!(request("get", &[("X-A", "a\nb")]).unwrap_err().to_string().starts_with("X-A cannot be sent"));
        for url in ["host/path", "SECRET", "", "http://"] {
            let refused = request_to(url, "get", &[]).unwrap_err().to_string();
            assert!(refused.contains("not an absolute URL") && !refused.contains("SECRET"), "{url}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn the_host_is_that_of_the_component(path in "[/a?#%:@.\\\\]{0,16}|\\PC{0,12}", name in "[A-Z]\\PC{0,6}", value in "(\\PC|\n){0,6}") {
            if let Ok(request) = request("get", &[("path", &path), (&name, &value)]) {
                prop_assert_eq!(request.hop.uri.host(), Some("host"));
                prop_assert!(request.hop.uri.path().starts_with("/base"), "{}", request.hop.uri);
            }
        }
    }
}
