//! Connections over TLS with whatever certificate, to whomever.
use foundation_tls::AnyCertificate;
use hyper_util::rt::TokioIo;
use rcgen::KeyPair;
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::future::ready;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;
use wire::common::v1::http_extension::Verb;
use wire::common::v1::{HttpExtension, InvokeRequest};
use wire::internals::v1::InternalInvokeRequest;
use wire::internals::v1::service_invocation_client::ServiceInvocationClient;

/// A chain, leaf first, and a key, whether they belong together or not.
#[derive(Debug)]
pub(crate) struct Shown(Arc<CertifiedKey>);

impl Shown {
    pub(crate) fn new(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Self(Arc::new(CertifiedKey::new(chain, any_supported_type(&key).unwrap())))
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A gRPC connection to a port of loopback; none when it breaks off, which TLS 1.3 may do later as well.
pub(crate) async fn connect(port: u16, shown: Option<Shown>) -> Option<Channel> {
    let provider = Arc::new(default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.unwrap().dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)));
    let mut config = match shown {
        Some(shown) => builder.with_client_cert_resolver(Arc::new(shown)),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
    let secured = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    // Once: what is refused after the client's part of the handshake is dialled again by the library, and again, as fast as it can.
    let mut secured = Some(TokioIo::new(secured));
    let dial = service_fn(move |_| ready(secured.take().ok_or(io::Error::from(io::ErrorKind::ConnectionReset))));
    Endpoint::from_static("http://anybody").connect_with_connector(dial).await.ok()
}

/// Asks a sidecar for a method of its app, as other sidecars do. None: there is no connection; else what became of the call.
pub(crate) async fn invoke(port: u16, shown: Option<Shown>, method: &str) -> Option<Code> {
    let mut client = ServiceInvocationClient::new(connect(port, shown).await?);
    let verb = HttpExtension { verb: Verb::Post.into(), ..Default::default() };
    let message = InvokeRequest { method: method.to_owned(), http_extension: Some(verb), ..Default::default() };
    let request = InternalInvokeRequest { ver: 1, message: Some(message), ..Default::default() };
    match client.call_local(request).await {
        Ok(_) => Some(Code::Ok),
        // What breaks off has no code of its own.
        Err(status)
            if matches!(status.code(), Code::Unknown | Code::Unavailable | Code::Internal | Code::Cancelled) =>
        {
            None
        }
        Err(status) => Some(status.code()),
    }
}
