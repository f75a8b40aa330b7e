//! Calls over HTTP and HTTPS whose answers fit into memory: of issuers of tokens, registries, models and other services.
mod error;
#[cfg(test)]
mod tests;
pub mod trust;

pub use error::{Error, root_cause};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::time::Duration;
use tokio::time::timeout;

/// How long a connection may take; what a whole exchange may take counts besides.
const CONNECT: Duration = Duration::from_secs(10);

/// Bounds of an exchange.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time from the request to the last byte of the answer.
    pub patience: Duration,
    /// Most bytes of an answer's body.
    pub largest: usize,
}

/// Sends requests over HTTP/1.1 and HTTP/2, with TLS or without as their URLs say. Clones share the connections.
#[derive(Clone, Debug)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    limits: Limits,
}

impl Client {
    /// A client that trusts as [`trust`] has it; nothing is connected yet.
    pub fn new(tls: ClientConfig, limits: Limits) -> Self {
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        Self::over(builder.enable_all_versions().wrap_connector(connector()), limits)
    }

    /// The same for servers whose certificates are for that name, whatever the URL says.
    pub fn named(tls: ClientConfig, name: ServerName<'static>, limits: Limits) -> Self {
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
        Self::over(builder.enable_all_versions().wrap_connector(connector()), limits)
    }

    fn over(connector: HttpsConnector<HttpConnector>, limits: Limits) -> Self {
        Self { pool: Pool::builder(TokioExecutor::new()).build(connector), limits }
    }

    /// The answer to a request, whatever its status.
    ///
    /// # Errors
    /// There is no whole answer in time.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let patience = self.limits.patience;
        match timeout(patience, self.exchange(&host, request)).await {
            Ok(answered) => answered,
            Err(_) => Err(Error::Late { host, patience }),
        }
    }

    async fn exchange(&self, host: &str, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let (host, largest) = (host.to_owned(), self.limits.largest);
        let (parts, body) = match self.pool.request(request.map(Full::new)).await {
            Ok(response) => response.into_parts(),
            Err(error) => return Err(Error::Unreached { host, reason: root_cause(&error) }),
        };
        match Limited::new(body, largest).collect().await {
            Ok(body) => Ok(Response::from_parts(parts, body.to_bytes())),
            Err(error) => Err(Error::Broken { host, reason: root_cause(error.as_ref()) }),
        }
    }
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_nodelay(true);
    connector.enforce_http(false);
    connector
}
