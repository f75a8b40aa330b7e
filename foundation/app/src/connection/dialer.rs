//! Streams to the app: TCP, with TLS for `https` and `grpcs`.
use super::Broken;
use crate::{AppOptions, Error, Protocol};
use foundation_tls::AnyCertificate;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

/// Time for a new connection to stand.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to the app.
pub(crate) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// Opens connections to the app.
#[derive(Clone)]
pub(crate) struct Dialer {
    options: Arc<AppOptions>,
    tls: Option<Tls>,
}

#[derive(Clone)]
struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Dialer {
    /// For the app of these options.
    ///
    /// # Errors
    /// [`Error::Tls`] when the app shall be called with TLS and its host is no name that TLS knows.
    pub(crate) fn new(options: Arc<AppOptions>) -> Result<Self, Error> {
        let tls = options.protocol.is_tls().then(|| Tls::new(&options)).transpose()?;
        Ok(Self { options, tls })
    }

    /// The app that it is for.
    pub(crate) fn options(&self) -> &AppOptions {
        &self.options
    }

    /// A new connection.
    pub(crate) async fn dial(&self) -> Result<Stream, Broken> {
        let dialled = timeout(TIMEOUT, self.connect()).await;
        let dialled = dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        dialled.map_err(|error| Broken::Dial { address: self.options.authority(), error })
    }

    async fn connect(&self) -> io::Result<Stream> {
        let stream = tcp(&self.options).await?;
        Ok(match &self.tls {
            Some(Tls { connector, name }) => Either::Right(connector.connect(name.clone(), stream).await?),
            None => Either::Left(stream),
        })
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}

impl Tls {
    /// At least TLS 1.2; the app's certificate is not checked, as in Dapr: it is next door and mostly signed by itself.
    fn new(options: &AppOptions) -> Result<Self, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| Error::Tls(error.to_string()))?;
        let verifier = Arc::new(AnyCertificate(provider));
        let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        let protocol: &[u8] = if options.protocol == Protocol::Grpcs { b"h2" } else { b"http/1.1" };
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from(options.bare_host().to_owned());
        let name = name.map_err(|error| Error::Tls(format!("{}: {error}", options.host)))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }
}

/// A TCP connection that sends small messages at once.
pub(crate) async fn tcp(options: &AppOptions) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((options.bare_host(), options.port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
