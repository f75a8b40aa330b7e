//! One kept-alive HTTP/1.1 connection to a sidecar.
use crate::app::{Body, whole};
use anyhow::bail;
use bytes::Bytes;
use foundation_drain::Drain;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
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

impl Call {
    /// Asks whether the sidecar is ready.
    pub(crate) fn health() -> Self {
        Self::of_health("/v1.0/healthz", StatusCode::NO_CONTENT)
    }

    /// Asks whether a service of the control plane is ready, on its health port.
    pub(crate) fn control_plane_health() -> Self {
        Self::of_health("/healthz", StatusCode::OK)
    }

    fn of_health(path: &str, expect: StatusCode) -> Self {
        Self { method: Method::GET, path: path.to_owned(), body: Bytes::new(), expect }
    }
}

/// A connection.
pub(crate) struct Client(SendRequest<Body>);

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

    /// Sends the request and reads the whole answer, of which it keeps nothing.
    ///
    /// # Errors
    /// A broken connection, or an answer with another status than the expected one.
    pub(crate) async fn send(&mut self, call: &Call) -> anyhow::Result<()> {
        let status = self.exchange(&call.method, &call.path, whole(call.body.clone())).await?;
        if status != call.expect {
            bail!("{} {} was answered with {status}, not {}", call.method, call.path, call.expect);
        }
        Ok(())
    }

    /// The same with a body of unknown length, which is made while it is sent.
    pub(crate) async fn send_streamed(&mut self, path: &str, body: Body) -> anyhow::Result<()> {
        let status = self.exchange(&Method::POST, path, body).await?;
        if status != StatusCode::OK {
            bail!("a large body to {path} was answered with {status}");
        }
        Ok(())
    }

    /// Reads a text.
    pub(crate) async fn text(&mut self, path: &str) -> anyhow::Result<String> {
        let request = Request::get(path).header("host", "localhost").body(whole(Bytes::new()))?;
        self.0.ready().await?;
        let body = self.0.send_request(request).await?.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    async fn exchange(&mut self, method: &Method, path: &str, body: Body) -> anyhow::Result<StatusCode> {
        let request = Request::builder().method(method.clone()).uri(path).header("host", "localhost");
        let request = request.header("content-type", "application/json").body(body)?;
        self.0.ready().await?;
        let response = self.0.send_request(request).await?;
        let status = response.status();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        Ok(status)
    }
}
