//! HTTP requests to a sidecar, over TCP or a Unix socket.
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use std::path::Path;
use tokio::net::{TcpStream, UnixStream};

/// Status and body of an answer.
pub(crate) type Answer = anyhow::Result<(StatusCode, Bytes)>;

/// Sends a request to a port of loopback.
pub(crate) async fn over_tcp(port: u16, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
    send(TcpStream::connect(("127.0.0.1", port)).await?, method, path, body.into()).await
}

/// Sends a request to a Unix socket.
pub(crate) async fn over_socket(socket: &Path, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
    send(UnixStream::connect(socket).await?, method, path, body.into()).await
}

async fn send<S>(stream: S, method: Method, path: &str, body: Bytes) -> Answer
where
    TokioIo<S>: Read + Write + Unpin,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    let request = request.header("content-type", "application/json").body(Full::new(body))?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        anyhow::Ok((status, response.into_body().collect().await?.to_bytes()))
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => { ended?; exchange.await }
    }
}
