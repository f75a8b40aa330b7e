//! The identity of this process: its certificate and its trust as they are now, and the connections that they secure.
use crate::connection::{client, handshake, server_name};
use crate::places::Places;
use crate::verifier::Verifier;
use crate::{Error, Expected, PeerId, Secured, SpiffeId, Svid, Trust, id_of};
use arc_swap::ArcSwap;
use foundation_tls::pem_fault;
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Handshakes at once. Each holds a socket and some kilobytes.
const HANDSHAKES: usize = 1024;
const HANDSHAKE_GRACE: Duration = Duration::from_millis(500);
/// Connections at once of those who need no identity: anybody may open one and say nothing.
const STRANGERS: usize = 1024;
/// A stranger asks one thing, which takes some milliseconds.
const STRANGER_GRACE: Duration = Duration::from_secs(1);

/// Certificate and trust of this process. Clones share them; both may change while it runs.
#[derive(Clone, Debug)]
pub struct Identity {
    own: Arc<ArcSwap<Svid>>,
    trust: Arc<ArcSwap<Trust>>,
}

/// Whether clients must have an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    Required,
    /// They prove by other means who they are.
    None,
}

impl Identity {
    /// One that does not change by itself.
    pub fn new(own: Svid, trust: Trust) -> Self {
        Self { own: Arc::new(ArcSwap::from_pointee(own)), trust: Arc::new(ArcSwap::from_pointee(trust)) }
    }

    pub(crate) fn sharing(own: Svid, trust: Arc<ArcSwap<Trust>>) -> Self {
        Self { own: Arc::new(ArcSwap::from_pointee(own)), trust }
    }

    /// Who this process is.
    pub fn id(&self) -> SpiffeId {
        self.own.load().id().clone()
    }

    /// The certificate that handshakes use now.
    pub fn own(&self) -> Arc<Svid> {
        self.own.load_full()
    }

    /// Uses another certificate from now on; connections that are open stay.
    pub fn renew(&self, own: Svid) {
        self.own.store(Arc::new(own));
    }

    /// Trusts other roots from now on; connections that are open stay.
    pub fn trust(&self, trust: Trust) {
        self.trust.store(Arc::new(trust));
    }

    /// Secures connections that come in, for gRPC.
    ///
    /// # Errors
    /// None but what the TLS library says of its own settings.
    pub fn acceptor(&self, clients: ClientAuth) -> Result<Acceptor, Error> {
        let provider = Arc::clone(self.trust.load().provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let verifier = match clients {
            ClientAuth::Required => Arc::new(Verifier::of_clients(Arc::clone(&self.trust))),
            ClientAuth::None => WebPkiClientVerifier::no_client_auth(),
        };
        let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A resumed session would outlive the certificate that it began with.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let strangers = (clients == ClientAuth::None).then(|| Places::new(STRANGERS, STRANGER_GRACE));
        Ok(Acceptor { strangers, ..Acceptor::new(config) })
    }

    /// Secures a connection to a server, if it is who is expected.
    ///
    /// # Errors
    /// A failed or late handshake, such as with another server than the expected one.
    pub async fn connect<C>(&self, stream: C, expected: Expected) -> io::Result<TlsStream<C>>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let config = client(&self.trust, expected, Some(Arc::new(self.clone()))).map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::new(config));
        handshake(connector.connect(server_name(), stream)).await
    }
}

/// Secures connections that come in. Clones share its limits of what is open at once.
#[derive(Clone)]
pub struct Acceptor {
    tls: TlsAcceptor,
    handshakes: Places,
    /// Of those whose clients have no identity.
    strangers: Option<Places>,
}

impl Acceptor {
    /// Secures connections of anybody with a certificate of a host, for HTTP. Both are in PEM.
    ///
    /// # Errors
    /// A certificate or a key that cannot be read, or that do not belong together.
    pub fn of_host(chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(|error| Error::Pem(pem_fault(&error)))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| Error::Key(pem_fault(&error)))?;
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self::new(config))
    }

    fn new(config: ServerConfig) -> Self {
        let handshakes = Places::new(HANDSHAKES, HANDSHAKE_GRACE);
        Self { tls: TlsAcceptor::from(Arc::new(config)), handshakes, strangers: None }
    }

    /// Waits until there is room for one more. Nobody is accepted before: those who only open connections shall neither fill the house
    /// nor bar the door.
    pub async fn room(&self) {
        self.handshakes.room().await;
        if let Some(strangers) = &self.strangers {
            strangers.room().await;
        }
    }

    /// Secures a connection.
    ///
    /// # Errors
    /// A handshake that failed, was late, or had to give way to others.
    pub async fn accept<C>(&self, stream: C) -> io::Result<Secured<C>>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let mut place = self.handshakes.take();
        let stream = tokio::select! {
            secured = handshake(self.tls.accept(stream)) => secured?,
            () = place.gives_way() => return Err(io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake gave way to others")),
        };
        let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let peer = leaf.map(id_of).transpose().map_err(io::Error::other)?.map(PeerId);
        Ok(Secured::new(stream, peer, self.strangers.as_ref().map(Places::take)))
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.own.load().certified())
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.own.load().certified())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
