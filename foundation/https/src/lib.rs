//! A client of HTTP and HTTPS servers that the control plane asks: key sets, and the API of Kubernetes.
mod lines;

pub use lines::Lines;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ConfigBuilder, WantsVerifier};
use rustls_pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Largest answer, and largest line of one that comes in lines, in bytes.
const LARGEST: usize = 1 << 20;

/// Why there is no answer, or no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{0:?} is no name of a server")]
    Name(String),
    #[error("cannot use TLS: {0}")]
    Tls(String),
    #[error("{url} answered with status {status}")]
    Status { url: String, status: u16 },
    #[error("{url} did not answer in time")]
    Late { url: String },
    #[error("{0}")]
    Broken(String),
}

/// Sends requests, each with a deadline.
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    deadline: Duration,
}

impl Client {
    /// `name` is the one that certificates of servers must be for, if it is not that of the URL.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn new(tls: ClientConfig, name: Option<&str>, deadline: Duration) -> Result<Self, Error> {
        let mut builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        if let Some(name) = name {
            let parsed = ServerName::try_from(name.to_owned()).map_err(|_| Error::Name(name.to_owned()))?;
            builder = builder.with_server_name_resolver(FixedServerNameResolver::new(parsed));
        }
        let connector = builder.enable_http1().build();
        Ok(Self { pool: Pool::builder(TokioExecutor::new()).build(connector), deadline })
    }

    /// What a URL answers with status 200.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn get(&self, url: &str) -> Result<Bytes, Error> {
        let request = Request::get(url).body(Full::default()).map_err(|error| Error::Broken(error.to_string()))?;
        self.send(request).await
    }

    /// The body of an answer with status 200 or 201, of 1 MiB at most.
    ///
    /// # Errors
    /// Another status, no answer within the deadline, and what breaks the exchange.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Bytes, Error> {
        let url = shown(request.uri());
        let exchange = async {
            let body = Limited::new(self.begin(request).await?, LARGEST).collect().await;
            Ok(body.map_err(|error| Error::Broken(error.to_string()))?.to_bytes())
        };
        timeout(self.deadline, exchange).await.map_err(|_| Error::Late { url })?
    }

    /// The lines of an answer that goes on. Only its beginning has the deadline.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn lines(&self, request: Request<Full<Bytes>>) -> Result<Lines, Error> {
        let url = shown(request.uri());
        let begun = timeout(self.deadline, self.begin(request)).await;
        Ok(Lines::new(begun.map_err(|_| Error::Late { url })??))
    }

    async fn begin(&self, request: Request<Full<Bytes>>) -> Result<Incoming, Error> {
        let url = shown(request.uri());
        let answer = self.pool.request(request).await.map_err(|error| Error::Broken(innermost(&error)))?;
        match answer.status() {
            StatusCode::OK | StatusCode::CREATED => Ok(answer.into_body()),
            status => Err(Error::Status { url, status: status.as_u16() }),
        }
    }
}

/// Settings of TLS in the making.
///
/// # Errors
/// None but what the library says of itself.
pub fn tls() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    let builder =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    builder.map_err(|error| Error::Tls(error.to_string()))
}

/// Host and path. What is asked for is not shown, as it may be somebody's name, and who asks is not, as there may be a password.
fn shown(uri: &Uri) -> String {
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}{}", uri.host().unwrap_or_default(), uri.path())
}

/// The reason behind the layers of a client.
fn innermost(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_shows_a_password_or_a_query() {
        let uri: Uri = "https://me:secret@keys.example:8443/set.json?token=secret".parse().unwrap();
        assert_eq!(shown(&uri), "keys.example:8443/set.json");
        assert_eq!(shown(&"http://keys.example/".parse().unwrap()), "keys.example/");
    }
}
