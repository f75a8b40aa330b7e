//! The socket of multicast DNS: port 5353, shared with other programs, joined to the group on every interface.
use component_api::{Error, Kind, Result};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use tokio::net::UdpSocket;

const PORT: u16 = 5353;
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// RFC 6762 11: answers of other networks would carry less.
const HOPS: u32 = 255;

/// The socket with the interfaces that it sends to.
#[derive(Debug)]
pub(crate) struct Multicast {
    socket: UdpSocket,
    interfaces: Vec<Ipv4Addr>,
}

impl Multicast {
    /// Opens the socket and joins the group wherever that works.
    pub(crate) fn open() -> Result<Self> {
        let socket = bind().map_err(unavailable)?;
        let mut multicast = Self { socket, interfaces: Vec::new() };
        multicast.join();
        if multicast.interfaces.is_empty() {
            return Err(Error::new(
                Kind::Unavailable,
                "no network interface takes part in multicast; check the network, or use another name resolution",
            ));
        }
        Ok(multicast)
    }

    /// Joins the group on interfaces that came up since, and leaves out those that went.
    pub(crate) fn join(&mut self) {
        let present = interfaces();
        self.interfaces.retain(|known| present.contains(known));
        for interface in present {
            let joined = self.interfaces.contains(&interface);
            if !joined && self.socket.join_multicast_v4(GROUP, interface).is_ok() {
                self.interfaces.push(interface);
            }
        }
    }

    /// Sends to all listeners on all interfaces; one that fails does not keep the others from it.
    pub(crate) async fn send(&self, bytes: &[u8]) {
        for interface in &self.interfaces {
            let sent = match SockRef::from(&self.socket).set_multicast_if_v4(interface) {
                Ok(()) => self.send_to(bytes, SocketAddrV4::new(GROUP, PORT).into()).await,
                Err(error) => Err(error),
            };
            if let Err(error) = sent {
                tracing::debug!(target: "dapr.nameresolution.mdns", "sending on {interface}: {error}");
            }
        }
    }

    /// Sends to one listener.
    pub(crate) async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.send_to(bytes, to).await.map(|_| ())
    }

    /// Receives one datagram.
    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.recv_from(buffer).await
    }
}

fn bind() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.set_multicast_loop_v4(true)?;
    socket.set_multicast_ttl_v4(HOPS)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into())?;
    UdpSocket::from_std(socket.into())
}

/// IPv4 addresses of all interfaces that are up, the loopback one too: it joins sidecars of a machine without a network.
fn interfaces() -> Vec<Ipv4Addr> {
    let all = if_addrs::get_if_addrs().unwrap_or_default().into_iter().filter(if_addrs::Interface::is_oper_up);
    all.filter_map(|interface| match interface.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    })
    .collect()
}

fn unavailable(error: io::Error) -> Error {
    Error::new(
        Kind::Unavailable,
        "cannot listen for multicast DNS on UDP port 5353; check that no other program holds it alone",
    )
    .with_source(error)
}
