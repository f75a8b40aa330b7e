//! HTTP requests on their way: user and password of a URL, and what redirects ask for, as Go's client does it.
mod user;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, InvalidHeaderValue, LOCATION, REFERER};
use http::uri::{InvalidUri, Scheme};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use url::Url;

/// Redirects that are followed before a call fails.
pub const MOST: usize = 10;

/// One request of several, without its body.
#[derive(Clone, Debug)]
pub struct Hop {
    pub method: Method,
    /// Without user and password, which are never shown.
    pub uri: Uri,
    pub headers: HeaderMap,
}

/// A URL that cannot be called. It does not tell the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Uri(#[from] InvalidUri),
    #[error("user and password of the URL make no header")]
    User(#[from] InvalidHeaderValue),
}

/// What a redirect asks for.
#[derive(Debug)]
pub struct Redirect {
    pub hop: Hop,
    /// Whether the body goes along.
    pub with_body: bool,
}

impl Hop {
    /// User and password of `url` become an `Authorization` header, unless there is one.
    ///
    /// # Errors
    /// A URL that cannot be called.
    pub fn new(method: Method, url: &str, mut headers: HeaderMap) -> Result<Self, Error> {
        let (url, user) = user::apart(url);
        let uri = url.parse()?;
        if let Some(user) = user {
            headers.entry(AUTHORIZATION).or_insert(user::basic(user)?);
        }
        Ok(Self { method, uri, headers })
    }

    /// The request that an answer asks for, if it does. 301 to 303 lose the body, 307 and 308 need one that can be sent again;
    /// another host gets no credentials.
    pub fn next(&self, status: StatusCode, answer: &HeaderMap, replayable: bool) -> Option<Redirect> {
        let with_body = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => false,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT if replayable => true,
            _ => return None,
        };
        let location = self.resolve(answer.get(LOCATION)?.to_str().ok()?)?;
        let mut hop = Self::new(self.method.clone(), location.as_str(), HeaderMap::new()).ok()?;
        hop.headers = self.headers_for(&hop);
        if !with_body {
            [CONTENT_TYPE, CONTENT_LENGTH].iter().for_each(|name| drop(hop.headers.remove(name)));
            hop.method = if self.method == Method::HEAD { Method::HEAD } else { Method::GET };
        }
        Some(Redirect { hop, with_body })
    }

    /// RFC 3986, 5.2. Other schemes than HTTP's are not followed.
    fn resolve(&self, location: &str) -> Option<Url> {
        let mut resolved = Url::parse(&self.uri.to_string()).ok()?.join(location).ok()?;
        resolved.set_fragment(None);
        matches!(resolved.scheme(), "http" | "https").then_some(resolved)
    }

    fn headers_for(&self, next: &Self) -> HeaderMap {
        let mut headers = self.headers.clone();
        if next.uri.authority() != self.uri.authority() {
            [AUTHORIZATION, COOKIE].iter().for_each(|name| drop(headers.remove(name)));
        }
        headers.remove(REFERER);
        let downgraded = self.uri.scheme() == Some(&Scheme::HTTPS) && next.uri.scheme() != Some(&Scheme::HTTPS);
        let referer = HeaderValue::from_str(&self.uri.to_string()).ok().filter(|_| !downgraded);
        headers.extend(referer.map(|referer| (REFERER, referer)));
        for (name, value) in &next.headers {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        headers
    }
}

#[cfg(test)]
mod tests;
