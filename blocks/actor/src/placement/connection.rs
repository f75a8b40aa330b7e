//! A stream to one replica of the placement service, in the open or secured.
use foundation_identity::{Expected, Identity, SpiffeId};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;
use tower::service_fn;
use wire::placement::v1::placement_client::PlacementClient;
use wire::placement::v1::{Host, PlacementOrder};

const PATIENCE: Duration = Duration::from_secs(5);
/// A silent service is asked for a sign of life after this, so often and so many times.
const IDLE: Duration = Duration::from_secs(5);
const PROBE: Duration = Duration::from_secs(1);
const PROBES: u32 = 3;

/// The placement service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Host and port of each replica, or a name with an address for each.
    pub addresses: Vec<String>,
    /// Own identity and that of the service; none is in the open.
    pub identity: Option<(Identity, SpiffeId)>,
}

impl Service {
    /// Opens a stream to the replica whose turn it is, and sends what is waiting in `reports`.
    pub(super) async fn open(
        &self,
        attempt: usize,
        reports: mpsc::Receiver<Host>,
    ) -> Result<(SocketAddr, Streaming<PlacementOrder>), String> {
        let address = self.address(attempt).await.map_err(|error| error.to_string())?;
        tracing::debug!(target: "dapr.runtime.actors.placement", "Attempting to connect to placement {address}");
        let identity = self.identity.clone();
        let dial = service_fn(move |_| dial(address, identity.clone()));
        let endpoint = Endpoint::from_static("http://placement");
        let channel = timeout(PATIENCE, endpoint.connect_with_connector(dial))
            .await
            .map_err(|_| format!("{address} does not answer"))?;
        let channel = channel.map_err(|error| innermost(&error))?;
        // The answer comes with the first order, which may take its time.
        let orders = PlacementClient::new(channel).report_dapr_status(ReceiverStream::new(reports)).await;
        orders.map(|orders| (address, orders.into_inner())).map_err(|status| foundation_peer::describe(&status))
    }

    /// All replicas in turn, and all addresses of each name.
    async fn address(&self, attempt: usize) -> io::Result<SocketAddr> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no address found");
        let name = self.addresses.get(attempt % self.addresses.len().max(1)).ok_or_else(missing)?;
        let found: Vec<SocketAddr> = lookup_host(name.trim()).await?.collect();
        let turn = attempt / self.addresses.len().max(1);
        found.get(turn % found.len().max(1)).copied().ok_or_else(missing)
    }
}

/// A connection of either kind.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

async fn dial(address: SocketAddr, identity: Option<(Identity, SpiffeId)>) -> io::Result<TokioIo<Box<dyn Connection>>> {
    let stream = TcpStream::connect(address).await?;
    tune(&stream)?;
    let connection: Box<dyn Connection> = match identity {
        Some((own, service)) => Box::new(own.connect(stream, Expected::Id(service)).await?),
        None => Box::new(stream),
    };
    Ok(TokioIo::new(connection))
}

/// A service that vanished is noticed. Pings of HTTP/2 would make Go's services close the connection.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(IDLE).with_interval(PROBE).with_retries(PROBES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// The reason behind the layers of a client.
fn innermost(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map(ToString::to_string).unwrap_or_default()
}
