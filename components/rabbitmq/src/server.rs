//! Where the server is, and how a connection to it is made.
use component_api::{Error, Kind, Result, Secret};
use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri, SASLMechanism};
use lapin::{Connection, ConnectionProperties};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use tokio::time::timeout;

/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(15);

/// Where the server is, and who we are.
pub(crate) struct Server {
    /// Its name in messages.
    pub(crate) name: String,
    uri: AMQPUri,
    client_name: String,
    certificates: OwnedTLSConfig,
}

/// What TLS needs, as PEM; empty where nothing is said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificates {
    pub(crate) authority: String,
    pub(crate) client: String,
    pub(crate) key: Secret,
    /// The client's certificate says who we are.
    pub(crate) is_identity: bool,
}

impl Server {
    /// Reads where the server is. The string itself is never told.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn new(text: &str, heartbeat: Duration, client_name: &str, certificates: &Certificates) -> Result<Self> {
        let form = "the connection string cannot be read; its form is amqp://user:password@host:5672/virtual-host";
        let mut uri = AMQPUri::from_str(text).map_err(|_| Error::invalid(form))?;
        // The library takes an address in brackets for none.
        if let Some(address) = address_in_brackets(text) {
            address.clone_into(&mut uri.authority.host);
        }
        if uri.scheme == AMQPScheme::AMQPS {
            // The client takes the provider of the process; one that is there already is as good.
            rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        }
        uri.query.heartbeat = uri.query.heartbeat.or(u16::try_from(heartbeat.as_secs()).ok());
        uri.query.connection_timeout = Some(CONNECTING.as_secs() * 1000);
        if certificates.is_identity {
            uri.query.auth_mechanism = Some(SASLMechanism::External);
        }
        let name = format!("{}:{}", uri.authority.host, uri.authority.port);
        Ok(Self { name, uri, client_name: client_name.to_owned(), certificates: prepared(certificates) })
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let mut properties = ConnectionProperties::default();
        if !self.client_name.is_empty() {
            properties = properties.with_connection_name(self.client_name.as_str().into());
        }
        let runtime = lapin::runtime::default_runtime().map_err(|error| self.translate(&error))?;
        let connecting =
            Connection::connect_uri_with_config(self.uri.clone(), properties, self.certificates.clone(), runtime);
        let connected = timeout(CONNECTING, Box::pin(connecting)).await;
        connected.map_err(|_| self.too_slow(CONNECTING))?.map_err(|error| self.translate(&error))
    }

    /// An error of this server in the components' terms.
    pub(crate) fn translate(&self, error: &lapin::Error) -> Error {
        crate::error::translate(&self.name, error)
    }

    pub(crate) fn too_slow(&self, longest: Duration) -> Error {
        Error::new(Kind::Timeout, format!("rabbitmq at {} did not answer within {longest:?}", self.name))
    }
}

fn address_in_brackets(uri: &str) -> Option<&str> {
    let authority = uri.split_once("://")?.1.split('/').next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.strip_prefix('[')?.split_once(']').map(|(address, _)| address)
}

fn prepared(certificates: &Certificates) -> OwnedTLSConfig {
    let has_identity = !certificates.client.is_empty() && !certificates.key.is_empty();
    OwnedTLSConfig {
        identity: has_identity.then(|| OwnedIdentity::PKCS8 {
            pem: certificates.client.clone().into_bytes(),
            key: certificates.key.expose().as_bytes().to_vec(),
        }),
        cert_chain: Some(certificates.authority.clone()).filter(|authority| !authority.is_empty()),
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.name).finish()
    }
}
