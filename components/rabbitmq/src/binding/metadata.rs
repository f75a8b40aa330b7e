//! Metadata of `bindings.rabbitmq`.
use crate::server::{Certificates, Server};
use component_api::pubsub::time_to_live;
use component_api::{Error, GoDuration, Metadata as Pairs, Properties, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// How often the two sides look whether the other one is there.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Messages of a queue of RabbitMQ, in and out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Required. Where the server is, as `amqp://user:password@host:5672/virtual-host`.
    pub host: Secret,
    /// Required. Name of the queue.
    pub queue_name: String,
    /// The queue is only for this connection, and goes with it.
    pub exclusive: bool,
    /// The queue outlives a restart of the server.
    pub durable: bool,
    /// The queue goes when nobody is there any more to take messages.
    pub delete_when_unused: bool,
    /// Most messages that are sent ahead; 0 is 1000. Messages are handled one after the other.
    pub prefetch_count: u16,
    /// Highest priority of a message; nothing is a queue without priorities. What is above 255 is 255.
    pub max_priority: Option<u64>,
    /// Pause before the next try to connect.
    #[serde(rename = "reconnectWaitInSeconds")]
    pub reconnect_wait: GoDuration,
    /// How long messages live in the queue; nothing is for ever. Alias: `ttl`.
    #[serde(alias = "ttl")]
    pub ttl_in_seconds: String,
    /// Certificates that the server's is checked against, as PEM.
    pub ca_cert: String,
    /// Certificate of the client, as PEM.
    pub client_cert: String,
    /// Key of the client's certificate, as PEM.
    pub client_key: Secret,
    /// The client's certificate says who we are, in place of user and password. Alias: `saslExternal`.
    #[serde(alias = "saslExternal")]
    pub external_sasl: bool,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            host: Secret::default(),
            queue_name: String::new(),
            exclusive: false,
            durable: false,
            delete_when_unused: false,
            prefetch_count: 0,
            max_priority: None,
            reconnect_wait: Duration::from_secs(5).into(),
            ttl_in_seconds: String::new(),
            ca_cert: String::new(),
            client_cert: String::new(),
            client_key: Secret::default(),
            external_sasl: false,
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read, or no host or queue.
    pub fn read(properties: &Properties) -> Result<Self> {
        let read: Self = properties.decode()?;
        if read.host.is_empty() {
            return Err(Error::invalid("missing host address: set host"));
        }
        if read.queue_name.is_empty() {
            return Err(Error::invalid("missing queue Name: set queueName"));
        }
        Ok(read)
    }

    /// How long messages live, if not for ever.
    pub(super) fn lifetime(&self) -> Option<Duration> {
        time_to_live(&Pairs::from([("ttl".to_owned(), self.ttl_in_seconds.clone())]))
    }

    pub(super) fn server(&self) -> Result<Server> {
        let certificates = Certificates {
            authority: self.ca_cert.clone(),
            client: self.client_cert.clone(),
            key: self.client_key.clone(),
            is_identity: self.external_sasl,
        };
        Server::new(self.host.expose(), HEARTBEAT, "", &certificates)
    }
}
