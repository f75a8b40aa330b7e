//! Connections with TLS where the URL says so, for which a server that is silent has no more time than Go's client gives it.
use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use std::future::ready;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt, service_fn};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(super) type Connector = BoxCloneSyncService<Uri, Stream, BoxError>;

/// The server took the connection and did not answer in TLS.
#[derive(Debug, thiserror::Error)]
#[error("net/http: TLS handshake timeout")]
struct HandshakeTimeout;

/// Connects over `tcp`, to `https` URLs by TLS.
pub(super) fn connector(tcp: HttpConnector, tls: ClientConfig) -> Connector {
    let tls = Arc::new(tls);
    BoxCloneSyncService::new(service_fn(move |uri| connect(tcp.clone(), Arc::clone(&tls), uri)))
}

/// In two steps, as the dial has its own deadline.
async fn connect(tcp: HttpConnector, tls: Arc<ClientConfig>, uri: Uri) -> Result<Stream, BoxError> {
    let mut dialled = Some(tcp.oneshot(uri.clone()).await?);
    let dialled = service_fn(move |_: Uri| ready(dialled.take().ok_or(io::Error::from(io::ErrorKind::NotConnected))));
    let handshake = HttpsConnector::from((dialled, tls)).call(uri);
    timeout(HANDSHAKE_TIMEOUT, handshake).await.map_err(|_| HandshakeTimeout)?
}
