//! HTTP/2 by `Upgrade: h2c` (RFC 7540 3.2): a request in HTTP/1.1 is answered as the first stream of an HTTP/2 connection.
//!
//! hyper speaks HTTP/2 from the preface on and knows of no request before it. So it is given what the client sends after the
//! change with the request put into it, as the frames that say the same.
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{BufMut, BytesMut};
use http::header::{CONNECTION, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, join, split};

const PROTOCOL: HeaderValue = HeaderValue::from_static("h2c");
const SETTINGS_HEADER: HeaderName = HeaderName::from_static("http2-settings");
/// Headers of one connection only, which HTTP/2 forbids (RFC 9113 8.2.2), and what has become a pseudo-header.
const LEFT_OUT: [HeaderName; 8] = [
    CONNECTION,
    HOST,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    SETTINGS_HEADER,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

const PREFACE: usize = 24;
const FRAME_HEADER: usize = 9;
/// Bytes of payload that every HTTP/2 endpoint takes (RFC 9113 4.2).
const MAX_FRAME: usize = 16 << 10;
/// Bytes of one setting.
const SETTING: usize = 6;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The change of a connection to HTTP/2.
#[derive(Debug)]
pub(super) struct Change {
    /// Settings of the client, as the payload of their frame.
    settings: Vec<u8>,
    /// The request, as the payload of a HEADERS frame.
    headers: BytesMut,
}

impl Change {
    /// None for a request that does not ask for it, and for what a server had better answer as it came: requests with a
    /// body, and with headers that do not fit a frame.
    pub(super) fn asked<B: http_body::Body>(request: &Request<B>) -> Option<Self> {
        let headers = request.headers();
        if headers.get(UPGRADE)? != PROTOCOL || request.version() != Version::HTTP_11 || !request.body().is_end_stream()
        {
            return None;
        }
        let settings = settings(headers)?;
        let headers = encode(request);
        (request.method() != Method::CONNECT && headers.len() <= MAX_FRAME).then_some(Self { settings, headers })
    }

    /// The answer in HTTP/1.1 that begins the change.
    pub(super) fn agree() -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        response.headers_mut().insert(UPGRADE, PROTOCOL);
        response
    }

    /// The connection as if the client had begun it in HTTP/2.
    ///
    /// # Errors
    /// When the client does not begin with a preface and its settings.
    pub(super) async fn replay<C>(self, mut connection: C) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send>
    where
        C: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut begin = [0; PREFACE + FRAME_HEADER];
        connection.read_exact(&mut begin).await?;
        let (preface, frame) = begin.split_at(PREFACE);
        let length = usize::try_from(u32::from_be_bytes([0, frame[0], frame[1], frame[2]])).unwrap_or(usize::MAX);
        if frame[3] != SETTINGS || length > MAX_FRAME {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not begin with its settings"));
        }
        let mut settings = self.settings;
        let earlier = settings.len();
        settings.resize(earlier + length, 0);
        connection.read_exact(&mut settings[earlier..]).await?;
        let replayed = io::Cursor::new(begin_of(preface, &settings, &self.headers));
        let (read, write) = split(connection);
        Ok(join(replayed.chain(read), write))
    }
}

/// Settings of both places make one frame, so that they are acknowledged once: those in the header need it not.
fn begin_of(preface: &[u8], settings: &[u8], headers: &[u8]) -> BytesMut {
    let mut begin = BytesMut::from(preface);
    put_frame(&mut begin, SETTINGS, 0, 0, settings);
    put_frame(&mut begin, HEADERS, END_STREAM | END_HEADERS, 1, headers);
    begin
}

fn put_frame(to: &mut BytesMut, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    to.put_uint(u64::try_from(payload.len()).unwrap_or_default(), 3);
    to.put_slice(&[kind, flags]);
    to.put_u32(stream);
    to.put_slice(payload);
}

/// The payload of the client's SETTINGS frame, which stands in exactly one header.
fn settings(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut texts = headers.get_all(SETTINGS_HEADER).into_iter();
    let text = texts.next().filter(|_| texts.next().is_none())?;
    let settings = URL_SAFE_NO_PAD.decode(text.to_str().ok()?.trim_end_matches('=')).ok()?;
    settings.len().is_multiple_of(SETTING).then_some(settings)
}

fn encode<B>(request: &Request<B>) -> BytesMut {
    let mut block = BytesMut::new();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    put_field(&mut block, ":method", request.method().as_str().as_bytes());
    put_field(&mut block, ":scheme", b"http");
    put_field(&mut block, ":path", path.as_bytes());
    if let Some(host) = request.headers().get(HOST) {
        put_field(&mut block, ":authority", host.as_bytes());
    }
    for (name, value) in request.headers().iter().filter(|(name, _)| !LEFT_OUT.contains(name)) {
        put_field(&mut block, name.as_str(), value.as_bytes());
    }
    block
}

/// A field as it is, which no table has to remember (RFC 7541 6.2.2).
fn put_field(block: &mut BytesMut, name: &str, value: &[u8]) {
    block.put_u8(0);
    put_string(block, name.as_bytes());
    put_string(block, value);
}

fn put_string(block: &mut BytesMut, text: &[u8]) {
    /// All bits of the first byte but the one for Huffman's code.
    const PREFIX: usize = 0x7f;
    if text.len() < PREFIX {
        block.put_u8(u8::try_from(text.len()).unwrap_or_default());
    } else {
        block.put_u8(0x7f);
        put_rest(block, text.len() - PREFIX);
    }
    block.put_slice(text);
}

/// What does not fit the prefix of an integer, seven bits a byte (RFC 7541 5.1).
fn put_rest(block: &mut BytesMut, mut rest: usize) {
    while rest >= 0x80 {
        block.put_u8(u8::try_from(rest & 0x7f).unwrap_or_default() | 0x80);
        rest >>= 7;
    }
    block.put_u8(u8::try_from(rest).unwrap_or_default());
}
