//! How a server, a cluster or the master behind sentinels is connected to.
use super::Link;
use crate::metadata::{Address, ConnectionMetadata};
use component_api::{Error, Result};
use redis::aio::PubSub;
use redis::cluster::ClusterClientBuilder;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, RedisResult, TlsCertificates, TlsMode,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// What to connect to, and how.
pub(super) struct Server {
    /// Its name in messages.
    pub(super) name: String,
    metadata: ConnectionMetadata,
    addresses: Vec<Address>,
    certificates: TlsCertificates,
    dial_timeout: Duration,
}

impl Server {
    pub(super) fn new(metadata: &ConnectionMetadata, dial_timeout: Duration) -> Result<Self> {
        let addresses = metadata.addresses()?;
        if addresses.is_empty() {
            return Err(Error::invalid("metadata property redisHost is empty: give the host and port of the server"));
        }
        if metadata.enable_tls {
            // The client takes the provider of the process; one that is there already is as good.
            rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        }
        let name: Vec<_> = addresses.iter().map(|address| format!("{}:{}", address.host, address.port)).collect();
        let certificates = TlsCertificates { client_tls: client_certificate(metadata)?, root_cert: None };
        Ok(Self { name: name.join(","), metadata: metadata.clone(), addresses, certificates, dial_timeout })
    }

    /// A new connection whose commands may take that long.
    pub(super) async fn connect(&self, response_timeout: Duration) -> RedisResult<Link> {
        let connecting = async {
            if self.metadata.is_cluster() {
                self.cluster(response_timeout).await
            } else {
                self.node(response_timeout).await
            }
        };
        timeout(self.dial_timeout, Box::pin(connecting)).await.unwrap_or_else(|_| Err(too_slow()))
    }

    /// A new connection that listens.
    pub(super) async fn pubsub(&self) -> RedisResult<PubSub> {
        let connecting = async { self.client().await?.get_async_pubsub().await };
        timeout(self.dial_timeout, Box::pin(connecting)).await.unwrap_or_else(|_| Err(too_slow()))
    }

    async fn node(&self, response_timeout: Duration) -> RedisResult<Link> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.dial_timeout))
            .set_response_timeout(Some(response_timeout));
        let client = self.client().await?;
        Ok(Link::Node(client.get_multiplexed_async_connection_with_config(&config).await?))
    }

    async fn cluster(&self, response_timeout: Duration) -> RedisResult<Link> {
        let nodes = self.addresses.iter().map(|address| self.address(address).into_connection_info());
        let mut builder = ClusterClientBuilder::new(nodes.collect::<RedisResult<Vec<_>>>()?)
            .connection_timeout(self.dial_timeout)
            .response_timeout(response_timeout);
        let user = &self.metadata.redis_username;
        if !user.is_empty() {
            builder = builder.username(user);
        }
        if !self.metadata.redis_password.is_empty() {
            builder = builder.password(self.metadata.redis_password.expose());
        }
        if let Some(mode) = self.tls_mode() {
            builder = builder.tls(mode).certs(self.certificates.clone());
        }
        Ok(Link::Cluster(builder.build()?.get_async_connection().await?))
    }

    /// The server itself, or the one that the sentinels name as master.
    async fn client(&self) -> RedisResult<Client> {
        if self.metadata.failover {
            return self.sentinels()?.build()?.async_get_client().await;
        }
        let address = self.address(&self.addresses[0]).into_connection_info()?;
        let info = address.set_redis_settings(self.settings());
        if self.metadata.enable_tls {
            Client::build_with_tls(info, self.certificates.clone())
        } else {
            Client::open(info)
        }
    }

    fn sentinels(&self) -> RedisResult<SentinelClientBuilder> {
        let addresses: Vec<_> =
            self.addresses.iter().map(|address| ConnectionAddr::Tcp(address.host.clone(), address.port)).collect();
        let metadata = &self.metadata;
        let name = metadata.sentinel_master_name.clone();
        let mut builder = SentinelClientBuilder::new(addresses, name, SentinelServerType::Master)?
            .set_client_to_redis_db(metadata.redis_db);
        if !metadata.redis_username.is_empty() {
            builder = builder.set_client_to_redis_username(&metadata.redis_username);
        }
        if !metadata.redis_password.is_empty() {
            builder = builder.set_client_to_redis_password(metadata.redis_password.expose());
        }
        if !metadata.sentinel_username.is_empty() {
            builder = builder.set_client_to_sentinel_username(&metadata.sentinel_username);
        }
        if !metadata.sentinel_password.is_empty() {
            builder = builder.set_client_to_sentinel_password(metadata.sentinel_password.expose());
        }
        if let Some(mode) = self.tls_mode() {
            builder = builder.set_client_to_redis_tls_mode(mode).set_client_to_sentinel_tls_mode(mode);
            builder = builder.set_client_to_redis_certificates(self.certificates.clone());
            builder = builder.set_client_to_sentinel_certificates(self.certificates.clone());
        }
        Ok(builder)
    }

    fn address(&self, address: &Address) -> ConnectionAddr {
        let (host, port) = (address.host.clone(), address.port);
        if !self.metadata.enable_tls {
            return ConnectionAddr::Tcp(host, port);
        }
        ConnectionAddr::TcpTls { host, port, insecure: self.metadata.insecure_skip_tls_verify, tls_params: None }
    }

    fn settings(&self) -> RedisConnectionInfo {
        let mut settings = RedisConnectionInfo::default().set_db(self.metadata.redis_db);
        if !self.metadata.redis_username.is_empty() {
            settings = settings.set_username(&self.metadata.redis_username);
        }
        if !self.metadata.redis_password.is_empty() {
            settings = settings.set_password(self.metadata.redis_password.expose());
        }
        settings
    }

    fn tls_mode(&self) -> Option<TlsMode> {
        let mode = if self.metadata.insecure_skip_tls_verify { TlsMode::Insecure } else { TlsMode::Secure };
        self.metadata.enable_tls.then_some(mode)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.name).finish()
    }
}

/// Certificate and key of the client, which are of use only together.
fn client_certificate(metadata: &ConnectionMetadata) -> Result<Option<ClientTlsConfig>> {
    if metadata.client_cert.is_empty() || metadata.client_key.is_empty() {
        return Ok(None);
    }
    let (client_cert, client_key) = (metadata.client_cert.as_bytes(), metadata.client_key.expose().as_bytes());
    let chain: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(client_cert).collect();
    if !chain.is_ok_and(|chain| !chain.is_empty()) {
        return Err(Error::invalid("metadata property clientCert is no certificate as PEM"));
    }
    if PrivateKeyDer::from_pem_slice(client_key).is_err() {
        return Err(Error::invalid("metadata property clientKey is no key as PEM"));
    }
    Ok(Some(ClientTlsConfig { client_cert: client_cert.to_vec(), client_key: client_key.to_vec() }))
}

fn too_slow() -> RedisError {
    io::Error::new(io::ErrorKind::TimedOut, "no connection within dialTimeout").into()
}
