//! Calls to the API of a sidecar, over a port of this machine or a Unix socket.
use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};

const PAUSE: Duration = Duration::from_millis(20);

/// Where an API is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Port(u16),
    Socket(PathBuf),
}

impl Address {
    /// The address of one of a sidecar's APIs, `http` or `grpc`: with a folder of sockets the port does not count.
    pub(crate) fn of(sockets: Option<&Path>, app_id: &str, protocol: &str, port: u16) -> Self {
        match sockets {
            Some(folder) => Self::Socket(folder.join(format!("dapr-{app_id}-{protocol}.socket"))),
            None => Self::Port(port),
        }
    }

    /// Whether somebody listens.
    pub(crate) async fn is_listened_on(&self) -> bool {
        match self {
            Self::Port(port) => TcpStream::connect(("127.0.0.1", *port)).await.is_ok(),
            Self::Socket(path) => UnixStream::connect(path).await.is_ok(),
        }
    }

    /// Removes the file of a socket whose server may have been killed.
    pub(crate) fn remove_socket(&self) {
        if let Self::Socket(path) = self {
            std::fs::remove_file(path).ok();
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "port {port}"),
            Self::Socket(path) => write!(f, "socket {}", path.display()),
        }
    }
}

/// Waits until somebody listens.
pub(crate) async fn listening(address: &Address) {
    while !address.is_listened_on().await {
        tokio::time::sleep(PAUSE).await;
    }
}

/// A client of one sidecar's HTTP API.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: Address,
    /// Shown as `dapr-api-token`.
    pub(crate) token: Option<String>,
    pub(crate) deadline: Duration,
}

/// What is asked of an API.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// From `/v1.0` on.
    pub(crate) path: &'a str,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
}

/// What an API answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Client {
    /// Calls the API.
    ///
    /// # Errors
    /// The sidecar cannot be reached, breaks off, or does not answer before the deadline.
    pub(crate) async fn send(&self, call: Call<'_>) -> anyhow::Result<Answer> {
        let request = self.request(call)?;
        let answer = tokio::time::timeout(self.deadline, self.connect_and_send(request)).await;
        answer.with_context(|| format!("no answer on {} within {} s", self.address, self.deadline.as_secs()))?
    }

    fn request(&self, call: Call<'_>) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(call.method)
            .uri(call.path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, call.content_type)
            .body(Full::new(call.body))
            .context("this cannot be sent over HTTP; check the names for characters that URLs do not take")?;
        if let Some(token) = &self.token {
            let mut token = HeaderValue::from_str(token).context("DAPR_API_TOKEN cannot be sent in a header")?;
            token.set_sensitive(true);
            request.headers_mut().insert("dapr-api-token", token);
        }
        Ok(request)
    }

    async fn connect_and_send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let unreachable = || format!("no sidecar listens on {}", self.address);
        match &self.address {
            Address::Port(port) => {
                exchange(TcpStream::connect(("127.0.0.1", *port)).await.with_context(unreachable)?, request).await
            }
            Address::Socket(path) => {
                exchange(UnixStream::connect(path).await.with_context(unreachable)?, request).await
            }
        }
    }
}

/// What to do about an answer, behind its text.
pub(crate) fn advice(status: StatusCode) -> &'static str {
    if status == StatusCode::UNAUTHORIZED { "; set DAPR_API_TOKEN to the API token of the sidecar" } else { "" }
}

/// One request on a connection of its own, which ends with it.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> anyhow::Result<Answer>
where
    TokioIo<S>: Read + Write + Unpin,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        anyhow::Ok(Answer { status: head.status, body: body.collect().await?.to_bytes() })
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // A connection may end behind the last byte of an answer.
        ended = connection => { ended?; answer.await }
    }
}
