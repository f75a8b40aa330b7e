//! One HTTP/2 connection to the gRPC port of a sidecar.
use crate::app::SIZE;
use crate::grpc_app::ECHO;
use anyhow::{Context, bail};
use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use foundation_drain::Drain;
use foundation_http2::{Connection, Received, Settings};
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use prost::Message;
use prost_types::Any;
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use wire::common::v1::{HttpExtension, InvokeRequest, http_extension::Verb};
use wire::runtime::v1::InvokeServiceRequest;

const INVOKE: &str = "/dapr.proto.runtime.v1.Dapr/InvokeService";
/// Bytes before a message: whether it is compressed, and its length.
const HEAD: usize = 5;

const SETTINGS: Settings = Settings {
    peer: "a sidecar",
    largest_headers: 1 << 20,
    largest_frame: 16 << 10,
    deadline: Duration::from_secs(10),
    keepalive: None,
};

/// A connection. What a call says goes out in one go, as gRPC libraries do it.
#[derive(Clone)]
pub(crate) struct Grpc {
    connection: Connection,
    drain: Drain,
}

/// A call whose messages go back and forth one by one.
pub(crate) struct Stream {
    messages: mpsc::Sender<Bytes>,
    answers: Received,
    _connection: Grpc,
}

/// A message as it travels.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEAD + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or_default());
    frame.put_slice(message);
    frame.freeze()
}

/// A message of 1 KiB for the app that is called by proxy.
pub(crate) fn echoed() -> Bytes {
    framed(&[b'x'; SIZE])
}

/// A request to invoke a method of the other app with 1 KiB.
pub(crate) fn invocation() -> Bytes {
    let message = InvokeRequest {
        method: "echo".to_owned(),
        data: Some(Any { type_url: String::new(), value: vec![b'x'; SIZE] }),
        content_type: "text/plain".to_owned(),
        http_extension: Some(HttpExtension { verb: Verb::Post.into(), querystring: String::new() }),
    };
    framed(&InvokeServiceRequest { id: "callee".to_owned(), message: Some(message) }.encode_to_vec())
}

impl Grpc {
    pub(crate) async fn connect(port: u16, drain: &Drain) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port)).await?;
        socket.set_nodelay(true)?;
        let connection = Connection::begin(socket, &SETTINGS, drain).await?;
        Ok(Self { connection, drain: drain.clone() })
    }

    /// Invokes a method of the other app through the API.
    pub(crate) async fn invoke(&self, message: &Bytes) -> anyhow::Result<()> {
        self.unary(INVOKE, message).await
    }

    /// Calls the other app by proxy.
    pub(crate) async fn proxy(&self, message: &Bytes) -> anyhow::Result<()> {
        self.unary(ECHO, message).await
    }

    async fn unary(&self, path: &str, message: &Bytes) -> anyhow::Result<()> {
        // Without a length, which gRPC clients do not send, and which sidecars would pass on.
        let body = StreamBody::new(stream::iter([Ok::<_, Infallible>(Frame::data(message.clone()))]));
        let response = self.call(path, Body::new(body)).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?;
        check(body.trailers().unwrap_or(&head.headers))
    }

    async fn call(&self, path: &str, body: Body) -> anyhow::Result<Response<Received>> {
        let request = Request::post(format!("http://localhost{path}")).header("content-type", "application/grpc");
        let request = request.header("te", "trailers").header("dapr-app-id", "callee").body(body)?;
        Ok(self.connection.clone().call(request, &self.drain).await?)
    }

    /// Opens a stream to the other app by proxy.
    pub(crate) async fn stream(self) -> anyhow::Result<Stream> {
        let (messages, queue) = mpsc::channel(1);
        // Sidecars may wait for a message before they call the app.
        messages.send(echoed()).await.ok();
        let pieces = stream::unfold(queue, |mut queue| async {
            Some((Ok::<_, Infallible>(Frame::data(queue.recv().await?)), queue))
        });
        let answers = self.call(ECHO, Body::new(StreamBody::new(pieces))).await?.into_body();
        let mut stream = Stream { messages, answers, _connection: self };
        stream.answer(echoed().len()).await?;
        Ok(stream)
    }
}

impl Stream {
    /// Sends a message and reads it back.
    pub(crate) async fn send(&mut self, message: &Bytes) -> anyhow::Result<()> {
        self.messages.send(message.clone()).await?;
        self.answer(message.len()).await
    }

    async fn answer(&mut self, mut left: usize) -> anyhow::Result<()> {
        while left > 0 {
            let frame = self.answers.frame().await.context("the stream has ended")??;
            let frame = frame.into_data().map_err(|trailers| anyhow::anyhow!("the stream ended: {trailers:?}"))?;
            left = left.checked_sub(frame.len()).context("more came back than was sent")?;
        }
        Ok(())
    }
}

fn check(trailers: &HeaderMap) -> anyhow::Result<()> {
    match trailers.get("grpc-status").map(http::HeaderValue::as_bytes) {
        Some(b"0") => Ok(()),
        _ => bail!("a call was answered with {trailers:?}"),
    }
}
