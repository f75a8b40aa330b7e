//! Connections to the services of the control plane, in the open or secured.
mod connected;
mod open;
mod silence;

pub use connected::Connected;

use crate::error::innermost;
use foundation_identity::{Expected, Identity, SpiffeId};
use hyper_util::rt::TokioIo;
use open::greeting;
use silence::{Attentive, Heard};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

const PATIENCE: Duration = Duration::from_secs(5);

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
    pub async fn connect(&self, turn: usize) -> Result<Connected, String> {
        let number = self.addresses.len().max(1);
        let missing = || no_address().to_string();
        let name = self.addresses.get(turn % number).ok_or_else(missing)?;
        let address = address_of(name, turn / number).await.map_err(|error| error.to_string())?;
        self.connect_to(address).await
    }

    /// Connects to a replica by its host and port.
    ///
    /// # Errors
    /// Why it is not there, in a sentence.
    pub async fn connect_by_name(&self, name: &str) -> Result<Connected, String> {
        let address = address_of(name, 0).await.map_err(|error| error.to_string())?;
        self.connect_to(address).await
    }

    /// A connection to a replica that is made when it is needed, and again when it is lost.
    pub fn lazily(&self, name: &str) -> Channel {
        let (name, identity) = (name.to_owned(), self.identity.clone());
        let dial = service_fn(move |_| {
            let (name, identity) = (name.clone(), identity.clone());
            async move { dial(address_of(&name, 0).await?, identity, Heard::now()).await }
        });
        endpoint().connect_with_connector_lazy(dial)
    }

    async fn connect_to(&self, address: SocketAddr) -> Result<Connected, String> {
        let (identity, heard) = (self.identity.clone(), Heard::now());
        let told = heard.clone();
        let dial = service_fn(move |_| dial(address, identity.clone(), told.clone()));
        let connected = timeout(PATIENCE, endpoint().connect_with_connector(dial)).await;
        let connected = connected.map_err(|_| format!("{address} does not answer"))?;
        let channel = connected.map_err(|error| innermost(&error))?;
        Ok(Connected { address, channel, heard })
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

async fn dial(
    address: SocketAddr,
    identity: Option<(Identity, SpiffeId)>,
    heard: Heard,
) -> io::Result<TokioIo<Box<dyn Connection>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stream = Attentive::new(stream, heard);
    let connection: Box<dyn Connection> = match identity {
        Some((own, service)) => Box::new(own.connect(stream, Expected::Id(service)).await?),
        None => Box::new(stream.greeted(greeting)),
    };
    Ok(TokioIo::new(connection))
}
