//! Connections to the services of the control plane, in the open or secured.
use foundation_identity::{Expected, Identity, SpiffeId};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

const PATIENCE: Duration = Duration::from_secs(5);
/// A silent service is asked for a sign of life after this, so often and so many times.
const IDLE: Duration = Duration::from_secs(5);
const PROBE: Duration = Duration::from_secs(1);
const PROBES: u32 = 3;

/// A service of the control plane, with one replica or several.
#[derive(Clone, Debug)]
pub struct ControlService {
    /// Host and port of each replica, or a name with an address for each.
    pub addresses: Vec<String>,
    /// Own identity and that of the service; none is in the open.
    pub identity: Option<(Identity, SpiffeId)>,
}

impl ControlService {
    /// Connects to the replica whose turn it is: all of them follow each other, and all addresses of each name.
    ///
    /// # Errors
    /// Why nobody is there, in a sentence.
    pub async fn connect(&self, turn: usize) -> Result<(SocketAddr, Channel), String> {
        let number = self.addresses.len().max(1);
        let missing = || no_address().to_string();
        let name = self.addresses.get(turn % number).ok_or_else(missing)?;
        let address = address_of(name, turn / number).await.map_err(|error| error.to_string())?;
        Ok((address, self.connect_to(address).await?))
    }

    /// Connects to a replica by its host and port.
    ///
    /// # Errors
    /// Why it is not there, in a sentence.
    pub async fn connect_by_name(&self, name: &str) -> Result<Channel, String> {
        let address = address_of(name, 0).await.map_err(|error| error.to_string())?;
        self.connect_to(address).await
    }

    /// A connection to a replica that is made when it is needed, and again when it is lost.
    pub fn lazily(&self, name: &str) -> Channel {
        let (name, identity) = (name.to_owned(), self.identity.clone());
        let dial = service_fn(move |_| {
            let (name, identity) = (name.clone(), identity.clone());
            async move { dial(address_of(&name, 0).await?, identity).await }
        });
        endpoint().connect_with_connector_lazy(dial)
    }

    async fn connect_to(&self, address: SocketAddr) -> Result<Channel, String> {
        let identity = self.identity.clone();
        let dial = service_fn(move |_| dial(address, identity.clone()));
        let connected = timeout(PATIENCE, endpoint().connect_with_connector(dial)).await;
        let connected = connected.map_err(|_| format!("{address} does not answer"))?;
        connected.map_err(|error| innermost(&error))
    }
}

fn endpoint() -> Endpoint {
    Endpoint::from_static("http://control-plane").connect_timeout(PATIENCE)
}

async fn address_of(name: &str, turn: usize) -> io::Result<SocketAddr> {
    let found: Vec<SocketAddr> = lookup_host(name.trim()).await?.collect();
    found.get(turn % found.len().max(1)).copied().ok_or_else(no_address)
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "no address found")
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
