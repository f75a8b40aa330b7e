//! Vault behind TLS.
use super::{open_at, vault};
use component_api::Kind;
use component_api::secret::Store;
use conformance::certificates::Certificates;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

#[tokio::test]
async fn certificates_of_the_server() {
    let certificates = Certificates::new(None);
    let at = secured(vault().await, &certificates).await;
    let address = format!("https://{at}");
    let (authority, stranger) = (certificates.text("authority.pem"), certificates.text("stranger.pem"));
    let file = certificates.path("authority.pem");
    let works = [
        (&address, vec![("caPem", authority.as_str())]),
        (&address, vec![("caCert", file.as_str())]),
        (&address, vec![("skipVerify", "true")]),
        (&address, vec![("caPem", authority.as_str()), ("tlsServerName", "localhost")]),
    ];
    for (address, pairs) in works {
        open_at(address, &pairs).ping().await.unwrap_or_else(|error| panic!("{pairs:?}: {error}"));
    }
    let refused = [
        (&address, vec![("caPem", stranger.as_str())]),
        (&address, vec![]),
        (&address, vec![("caPem", authority.as_str()), ("tlsServerName", "elsewhere")]),
    ];
    for (address, pairs) in refused {
        let error = open_at(address, &pairs).ping().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{pairs:?}: {error}");
    }
}

/// TLS before a server in the clear.
async fn secured(server: SocketAddr, certificates: &Certificates) -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_file(certificates.path("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(certificates.path("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    #[allow(clippy::disallowed_methods)] // It ends with the test.
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            #[allow(clippy::disallowed_methods)] // It ends with the test.
            tokio::spawn(async move { copy_bidirectional(&mut stream, &mut TcpStream::connect(server).await?).await });
        }
    });
    at
}
