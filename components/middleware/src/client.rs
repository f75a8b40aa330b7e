//! A client of identity providers and of what else serves over HTTP: with deadlines and limits.
use bytes::Bytes;
use component_api::{Error, Kind, Result};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Longest exchange.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest answer in bytes.
const LARGEST: usize = 64 << 20;

/// Sends requests over HTTP and HTTPS; certificates are checked against the roots of the system.
#[derive(Clone)]
pub(crate) struct Client(Pool<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Client {
    pub(crate) fn new() -> Result<Self> {
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls()?).https_or_http().enable_http1().build();
        Ok(Self(Pool::builder(TokioExecutor::new()).build(connector)))
    }

    /// What is at a URL. Any status but 200 is an error.
    pub(crate) async fn get(&self, url: &str) -> Result<Response<Bytes>> {
        let request = Request::get(url).body(Bytes::new());
        let request = request.map_err(|error| Error::invalid(format!("{url} is no URL: {error}")))?;
        let response = self.send(request).await?;
        if response.status() != StatusCode::OK {
            return Err(Error::other(format!("{url} answered with status {}", response.status().as_u16())));
        }
        Ok(response)
    }

    /// The answer to a request, whatever its status.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let exchange = self.exchange(request.map(Full::new));
        let answered = timeout(PATIENCE, exchange).await;
        let answered = answered.map_err(|_| Error::new(Kind::Timeout, format!("{host} did not answer in time")))?;
        answered.map_err(|error| Error::new(Kind::Unavailable, format!("cannot call {host}")).with_source(error))
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> std::result::Result<Response<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
        let (parts, body) = self.0.request(request).await?.into_parts();
        let body = Limited::new(body, LARGEST).collect().await?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }
}

/// A system without any certificates can still be used for providers without TLS.
fn tls() -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let builder =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::other("cannot set up TLS").with_source(error))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
