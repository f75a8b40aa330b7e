//! What a sentry is asked for, and connections to it.
use anyhow::bail;
use bytes::{BufMut, Bytes, BytesMut};
use foundation_drain::Drain;
use foundation_tls::AnyCertificate;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls_pki_types::ServerName;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wire::sentry::v1::SignCertificateRequest;

const SIGN: &str = "http://localhost/dapr.proto.sentry.v1.CA/SignCertificate";

/// A connection to a sentry.
pub(crate) struct Signer(SendRequest<Full<Bytes>>);

impl Signer {
    /// Connects to a sentry, whoever it is.
    pub(crate) async fn connect(port: u16, drain: &Drain) -> anyhow::Result<Self> {
        let stream = TokioIo::new(secured(port).await?);
        let (sender, connection) = handshake(TokioExecutor::new(), stream).await?;
        drain.spawn_until_stopped(async move {
            connection.await.ok();
        });
        Ok(Self(sender))
    }

    /// Asks for a certificate.
    pub(crate) async fn sign(&mut self, message: &Bytes) -> anyhow::Result<()> {
        let request = Request::post(SIGN).header("content-type", "application/grpc").header("te", "trailers");
        self.0.ready().await?;
        let (head, body) = self.0.send_request(request.body(Full::new(message.clone()))?).await?.into_parts();
        let body = body.collect().await?;
        let trailers = body.trailers().unwrap_or(&head.headers);
        match trailers.get("grpc-status").map(http::HeaderValue::as_bytes) {
            Some(b"0") => Ok(()),
            _ => bail!("a request for a certificate was answered with {trailers:?}"),
        }
    }
}

/// A request for a certificate, which may be repeated: each answer is a certificate of its own.
pub(crate) fn request() -> anyhow::Result<Bytes> {
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let request = SignCertificateRequest {
        id: "app".to_owned(),
        namespace: "default".to_owned(),
        certificate_signing_request: CertificateParams::default().serialize_request(&key)?.pem()?.into(),
        ..Default::default()
    };
    let message = request.encode_to_vec();
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len())?);
    frame.put_slice(&message);
    Ok(frame.freeze())
}

async fn secured(port: u16) -> anyhow::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let verifier = Arc::new(AnyCertificate(provider));
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
    Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
}
