//! Calls of other services over HTTP and HTTPS: of issuers of tokens, registries, models, Kubernetes.
mod error;
#[cfg(test)]
mod tests;
pub mod trust;

pub use error::{Error, root_cause};

use bytes::Bytes;
use foundation_gzip::{Inflating, gunzip, offer_gzip};
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
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

type Answer = Either<Incoming, Inflating<Incoming>>;

/// Bounds of an exchange.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time from the request to the last byte of the answer.
    pub patience: Duration,
    /// Most bytes of an answer's body, when it is decompressed.
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
        let host = host(&request);
        let exchange = async {
            let (parts, body) = self.plain(request).await?.into_parts();
            match Limited::new(body, self.limits.largest).collect().await {
                Ok(body) => Ok(Response::from_parts(parts, body.to_bytes())),
                Err(error) => Err(Error::Broken { host: host.clone(), reason: root_cause(error.as_ref()) }),
            }
        };
        self.in_time(&host, exchange).await
    }

    /// The same, of which only a status of success is a good one.
    ///
    /// # Errors
    /// As [`Client::send`], and [`Error::Status`].
    pub async fn send_for_success(&self, request: Request<Bytes>) -> Result<Bytes, Error> {
        let host = host(&request);
        Ok(successful(host, self.send(request).await?)?.into_body())
    }

    /// An answer that goes on: only its head has to come in time, and its body has no bound.
    ///
    /// # Errors
    /// As [`Client::send_for_success`].
    pub async fn stream(&self, request: Request<Bytes>) -> Result<Incoming, Error> {
        let host = host(&request);
        let response = self.in_time(&host, self.request(request)).await?;
        Ok(successful(host, response)?.into_body())
    }

    /// The answer as Go's clients read it: compressed on the wire, if the request says nothing of that.
    async fn plain(&self, mut request: Request<Bytes>) -> Result<Response<Answer>, Error> {
        let method = request.method().clone();
        let inflate = offer_gzip(&method, request.headers_mut());
        let response = self.request(request).await?;
        Ok(if inflate { gunzip(response) } else { response.map(Either::Left) })
    }

    async fn request(&self, request: Request<Bytes>) -> Result<Response<Incoming>, Error> {
        let host = host(&request);
        let answered = self.pool.request(request.map(Full::new)).await;
        answered.map_err(|error| Error::Unreached { host, reason: root_cause(&error) })
    }

    async fn in_time<T>(&self, host: &str, exchange: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let patience = self.limits.patience;
        timeout(patience, exchange).await.map_err(|_| Error::Late { host: host.to_owned(), patience })?
    }
}

fn host(request: &Request<Bytes>) -> String {
    request.uri().host().unwrap_or_default().to_owned()
}

fn successful<B>(host: String, response: Response<B>) -> Result<Response<B>, Error> {
    let status = response.status();
    if status.is_success() { Ok(response) } else { Err(Error::Status { host, status: status.as_u16() }) }
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_nodelay(true);
    connector.enforce_http(false);
    connector
}
