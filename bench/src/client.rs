//! One kept-alive HTTP/1.1 connection to a sidecar.
use anyhow::bail;
use bytes::Bytes;
use foundation_drain::Drain;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A request that is sent again and again.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Bytes,
    pub(crate) expect: StatusCode,
}

/// A connection.
pub(crate) struct Client(SendRequest<Full<Bytes>>);

impl Client {
    pub(crate) async fn connect(port: u16, drain: &Drain) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port)).await?;
        socket.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(socket)).await?;
        drain.spawn_until_stopped(async move {
            connection.await.ok();
        });
        Ok(Self(sender))
    }

    /// Sends the request and reads the whole answer.
    ///
    /// # Errors
    /// A broken connection, or an answer with another status than the expected one.
    pub(crate) async fn send(&mut self, call: &Call) -> anyhow::Result<()> {
        let status = self.status(call).await?;
        if status != call.expect {
            bail!("{} {} was answered with {status}, not {}", call.method, call.path, call.expect);
        }
        Ok(())
    }

    /// Sends the request and returns the status of the answer.
    pub(crate) async fn status(&mut self, call: &Call) -> anyhow::Result<StatusCode> {
        let request = Request::builder().method(call.method.clone()).uri(&call.path).header("host", "localhost");
        let request = request.header("content-type", "application/json").body(Full::new(call.body.clone()))?;
        self.0.ready().await?;
        let response = self.0.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        Ok(status)
    }
}
