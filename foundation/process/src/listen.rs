//! Listening: ports and sockets, and the connections that come in.
use foundation_drain::Drain;
use foundation_identity::PeerId;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream, lookup_host};
use tokio::time::{Instant, sleep};

const SCOPE: &str = "dapr.listener";
const BACKLOG: u32 = 1024;
/// When connections cannot be accepted, mostly for lack of files, others may end meanwhile.
const PAUSE: Duration = Duration::from_millis(50);
/// How long after a complaint the next one is due.
const QUIET: Duration = Duration::from_secs(1);

/// A bound port or socket.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A connection of either kind.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Address of the client, unless it came through a socket file.
    fn client(&self) -> Option<SocketAddr>;

    /// Who the client has proven to be.
    fn peer(&self) -> Option<&PeerId> {
        None
    }
}

impl Connection for TcpStream {
    fn client(&self) -> Option<SocketAddr> {
        self.peer_addr().ok()
    }
}

impl Connection for UnixStream {
    fn client(&self) -> Option<SocketAddr> {
        None
    }
}

/// Binds a port of an interface; an empty host is all of them.
///
/// # Errors
/// When the name cannot be resolved or the port is taken.
pub async fn tcp(host: &str, port: u16) -> io::Result<TcpListener> {
    let host = host.trim().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        let any = bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
        return any.or_else(|_| bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))));
    }
    let mut last = io::Error::other(format!("no address for {host}"));
    for address in lookup_host((host, port)).await? {
        match bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Binds a socket file, in place of one that a dead process left behind.
///
/// # Errors
/// When the folder is missing or another process listens there.
pub fn unix(path: &Path) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_err() {
        std::fs::remove_file(path).ok();
    }
    UnixListener::bind(path)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listener {
    /// The port, unless it is a socket file.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            Self::Unix(_) => None,
        }
    }
}

/// Something that serves connections.
pub trait Serve: Clone + Send + Sync + 'static {
    /// Waits until one more connection can be served; until then none is accepted.
    fn room(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Serves one connection until it ends; when the drain stops, only what has begun is finished.
    fn serve(self, connection: impl Connection, drain: Drain) -> impl Future<Output = ()> + Send;
}

/// Accepts connections until the drain stops.
pub fn accept(listener: Listener, server: impl Serve, drain: &Drain) {
    let connections = drain.clone();
    drain.spawn_until_stopped(async move {
        match listener {
            Listener::Tcp(listener) => accept_tcp(listener, server, connections).await,
            Listener::Unix(listener) => accept_unix(listener, server, connections).await,
        }
    });
}

/// Tells of connections that cannot be accepted.
#[derive(Default)]
struct Complaint(Option<Instant>);

impl Complaint {
    async fn about(&mut self, error: &io::Error) {
        if self.is_due(Instant::now()) {
            tracing::error!(target: SCOPE, "cannot accept connections: {error}; when too many files are open, raise their limit (ulimit -n, LimitNOFILE)");
        }
        sleep(PAUSE).await;
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.0.is_none_or(|last| now.duration_since(last) >= QUIET);
        if is_due {
            self.0 = Some(now);
        }
        is_due
    }
}

async fn accept_tcp(listener: TcpListener, server: impl Serve, drain: Drain) {
    let mut complaint = Complaint::default();
    loop {
        server.room().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                stream.set_nodelay(true).ok();
                drain.spawn(server.clone().serve(stream, drain.clone()));
            }
            Err(error) => complaint.about(&error).await,
        }
    }
}

async fn accept_unix(listener: UnixListener, server: impl Serve, drain: Drain) {
    let mut complaint = Complaint::default();
    loop {
        server.room().await;
        match listener.accept().await {
            Ok((stream, _)) => drain.spawn(server.clone().serve(stream, drain.clone())),
            Err(error) => complaint.about(&error).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn a_complaint_is_not_made_all_the_time() {
        let (mut complaint, start) = (Complaint::default(), Instant::now());
        let due = [0, 50, 999, 1000, 1050, 2000]
            .map(|milliseconds| complaint.is_due(start + Duration::from_millis(milliseconds)));
        assert_eq!(due, [true, false, false, true, false, true]);
    }

    /// Answers each byte with two, in two pieces.
    #[derive(Clone)]
    struct Twice;

    impl Serve for Twice {
        async fn serve(self, mut connection: impl Connection, _: Drain) {
            while let Ok(byte) = connection.read_u8().await {
                connection.write_u8(byte).await.unwrap();
                connection.write_u8(byte).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn small_pieces_do_not_wait_for_each_other() {
        let (drain, listener) = (Drain::new(), tcp("127.0.0.1", 0).await.unwrap());
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.set_nodelay(true).unwrap();
        accept(Listener::Tcp(listener), Twice, &drain);
        let mut times = Vec::new();
        for _ in 0..60 {
            let start = Instant::now();
            client.write_u8(1).await.unwrap();
            client.read_u16().await.unwrap();
            times.push(start.elapsed());
        }
        times.sort();
        // A piece that waits for the other end to confirm the one before it takes 40 ms.
        assert!(times[30] < Duration::from_millis(30), "{times:?}");
        drop(client);
        assert!(drain.close(Duration::from_secs(5)).await);
    }
}
