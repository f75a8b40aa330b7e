//! Cross-origin requests of browsers (surface.md 1.1).
use axum::body::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response};

const METHODS: [&str; 7] = ["HEAD", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Which origins may call.
#[derive(Clone, Debug)]
pub enum Cors {
    Any,
    /// Origins in lower case; one may hold a `*`.
    These(Vec<String>),
}

/// What a request asked for, for the answer.
pub(crate) struct Asked(Option<HeaderValue>);

impl Cors {
    /// From `--allowed-origins`; none without any.
    pub fn new(origins: &[String]) -> Option<Self> {
        match origins {
            [] => None,
            origins if origins.iter().any(|origin| origin == "*") => Some(Self::Any),
            origins => Some(Self::These(origins.iter().map(|origin| origin.to_lowercase()).collect())),
        }
    }

    /// The answer to a question before a request, which no endpoint sees.
    pub(crate) fn preflight(&self, request: &Request<Body>) -> Option<Response<Body>> {
        let headers = request.headers();
        let wanted = headers.get(ACCESS_CONTROL_REQUEST_METHOD).filter(|_| request.method() == Method::OPTIONS)?;
        let mut response = Response::new(Body::empty());
        let answer = response.headers_mut();
        for name in ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"] {
            answer.append(VARY, HeaderValue::from_static(name));
        }
        let known = wanted.to_str().is_ok_and(|method| METHODS.contains(&method.to_uppercase().as_str()));
        if let Some(allowed) = self.allow(headers).filter(|_| known) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            answer.insert(ACCESS_CONTROL_ALLOW_METHODS, wanted.clone());
            answer.extend(allowed_headers(headers).map(|value| (ACCESS_CONTROL_ALLOW_HEADERS, value)));
        }
        Some(response)
    }

    /// What to answer to a request itself.
    pub(crate) fn ask(&self, request: &Request<Body>) -> Asked {
        let known = METHODS.contains(&request.method().as_str());
        Asked(self.allow(request.headers()).filter(|_| known))
    }

    fn allow(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        match self {
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::These(origins) => {
                let text = origin.to_str().ok()?.to_lowercase();
                origins.iter().any(|allowed| matches(allowed, &text)).then(|| origin.clone())
            }
        }
    }
}

impl Asked {
    /// Adds the headers to an answer.
    pub(crate) fn answer(self, response: &mut Response<Body>) {
        let headers = response.headers_mut();
        headers.append(VARY, HeaderValue::from_static("Origin"));
        headers.extend(self.0.map(|origin| (ACCESS_CONTROL_ALLOW_ORIGIN, origin)));
    }
}

fn matches(allowed: &str, origin: &str) -> bool {
    match allowed.split_once('*') {
        None => allowed == origin,
        Some((start, end)) => {
            origin.len() >= start.len() + end.len() && origin.starts_with(start) && origin.ends_with(end)
        }
    }
}

/// The headers asked for, in the usual spelling.
fn allowed_headers(headers: &HeaderMap) -> Option<HeaderValue> {
    let wanted = headers.get(ACCESS_CONTROL_REQUEST_HEADERS)?.to_str().ok()?;
    let names = wanted.split(',').map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<_> = names.map(canonical).collect();
    HeaderValue::from_str(&names.join(", ")).ok().filter(|value| !value.is_empty())
}

fn canonical(name: &str) -> String {
    let part = |part: &str| match part.split_at_checked(1) {
        Some((first, rest)) => first.to_uppercase() + &rest.to_lowercase(),
        None => String::new(),
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}
