//! Connections to collectors, with and without TLS.
use super::ExportError;
use crate::trace::TraceError;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use std::time::Duration;
use tokio::time::timeout;

/// How long a connection may take to stand.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Posts to one address.
pub(super) struct Poster {
    client: Client,
    address: Uri,
    headers: HeaderMap,
    deadline: Duration,
}

/// The certificates of the system are loaded only for TLS.
enum Client {
    Plain(Pool<HttpConnector, Full<Bytes>>),
    Tls(Pool<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Poster {
    /// `headers` go with every request; `deadline` is the longest time of one.
    pub(super) fn new(address: &str, headers: HeaderMap, deadline: Duration) -> Result<Self, TraceError> {
        let address = parse(address)?;
        let builder = Pool::builder(TokioExecutor::new());
        let client = if address.scheme_str() == Some("https") {
            Client::Tls(builder.build(tls_connector(&["h2", "http/1.1"])?))
        } else {
            Client::Plain(builder.build(connector()))
        };
        Ok(Self { client, address, headers, deadline })
    }

    pub(super) fn address(&self) -> &Uri {
        &self.address
    }

    /// Posts a body to the address.
    pub(super) async fn post(&self, body: impl Into<Bytes>) -> Result<(), ExportError> {
        self.post_to(&self.address, body).await
    }

    /// Posts a body to another path of the same server.
    pub(super) async fn post_to(&self, address: &Uri, body: impl Into<Bytes>) -> Result<(), ExportError> {
        let mut request = Request::new(Full::new(body.into()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = address.clone();
        request.headers_mut().clone_from(&self.headers);
        let sent = timeout(self.deadline, self.send(request)).await.map_err(|_| ExportError::TimedOut)?;
        let status = sent?.status();
        if status.is_success() { Ok(()) } else { Err(ExportError::Refused(status)) }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<http::Response<hyper::body::Incoming>, ExportError> {
        Ok(match &self.client {
            Client::Plain(pool) => pool.request(request).await?,
            Client::Tls(pool) => pool.request(request).await?,
        })
    }
}

/// An address with scheme and host.
pub(super) fn parse(address: &str) -> Result<Uri, TraceError> {
    let wrong = |reason: String| TraceError::Address { address: address.to_owned(), reason };
    let uri: Uri = address.parse().map_err(|error: http::uri::InvalidUri| wrong(error.to_string()))?;
    if uri.scheme().is_none() || uri.authority().is_none() {
        return Err(wrong("it needs a scheme and a host".to_owned()));
    }
    Ok(uri)
}

/// The configured headers of exports.
pub(super) fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, TraceError> {
    let header = |(name, value): &(String, String)| {
        let wrong = || TraceError::Header(name.clone());
        let parsed = HeaderName::try_from(name.as_str()).map_err(|_| wrong())?;
        Ok((parsed, HeaderValue::try_from(value.as_str()).map_err(|_| wrong())?))
    };
    pairs.iter().map(header).collect()
}

/// Plain connections.
pub(super) fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(DIAL_TIMEOUT));
    connector.set_nodelay(true);
    connector.enforce_http(false);
    connector
}

/// Connections with TLS that speak one of the protocols.
pub(super) fn tls_connector(protocols: &[&str]) -> Result<HttpsConnector<HttpConnector>, TraceError> {
    let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(aws_lc_rs::default_provider());
    let builder = builder.map_err(TraceError::Certificates)?.https_only();
    let only_http2 = !protocols.contains(&"http/1.1");
    Ok(if only_http2 {
        builder.enable_http2().wrap_connector(connector())
    } else {
        builder.enable_all_versions().wrap_connector(connector())
    })
}
