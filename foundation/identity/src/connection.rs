//! How connections are secured, with or without a certificate of one's own.
use crate::doubt::Doubt;
use crate::verifier::Verifier;
use crate::{Error, Expected, Trust};
use arc_swap::ArcSwap;
use rustls::ClientConfig;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls_pki_types::ServerName;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Longest handshake: those who only open connections shall not fill the house.
const PATIENCE: Duration = Duration::from_secs(10);

/// Settings for a connection to a server, and the own certificate unless the server does not ask for one.
pub(crate) fn client(
    trust: &Arc<ArcSwap<Trust>>,
    expected: Expected,
    own: Option<Arc<dyn ResolvesClientCert>>,
) -> Result<ClientConfig, Error> {
    let provider = Arc::clone(trust.load().provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let verifier = Arc::new(Verifier::of_server(Arc::clone(trust), expected));
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(own),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config)
}

/// Identities are no names of hosts: any name will do, and an address is not sent.
pub(crate) fn server_name() -> ServerName<'static> {
    ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST).into())
}

/// A handshake within its time.
pub(crate) async fn handshake<T>(handshake: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let done = timeout(PATIENCE, handshake).await;
    done.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long"))?.map_err(Doubt::worded)
}
