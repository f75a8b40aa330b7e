//! Metadata of `pubsub.rabbitmq`.
use crate::server::{Certificates, Server};
use component_api::pubsub::time_to_live;
use component_api::{Error, GoDuration, Metadata as Pairs, Properties, Result, Secret};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Publish/subscribe over RabbitMQ: an exchange for each topic, and a queue for each app and topic.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Required unless the fields below say it all. Where the server is, as `amqp://user:password@host:5672/virtual-host`.
    /// Alias: `host`.
    #[serde(alias = "host")]
    pub connection_string: Secret,
    /// `amqp` or `amqps`, with TLS.
    pub protocol: String,
    /// Host of the server, and its port if it is not the usual one.
    pub hostname: String,
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    pub password: Secret,
    /// The first part of the names of queues. Default: the app id.
    #[serde(rename = "consumerID")]
    pub consumer_id: String,
    /// Exchanges and queues outlive a restart of the server.
    pub durable: bool,
    /// A queue, and with the last one an exchange, goes when nobody is there any more to take messages.
    #[serde(rename = "deletedWhenUnused")]
    pub deleted_when_unused: bool,
    /// Messages are done as soon as they were sent: what the app fails to handle is lost.
    pub auto_ack: bool,
    /// 0 and 1: messages may be lost when the server restarts; 2: those in durable queues outlive it.
    pub delivery_mode: u8,
    /// What the app failed to handle comes again. If not, it is a dead letter.
    pub requeue_in_failure: bool,
    /// Keep dead letters in a queue of their own, `dlq-` and the name of the queue.
    pub enable_dead_letter: bool,
    /// Most messages that are sent ahead; 0 is 1000.
    pub prefetch_count: u16,
    /// Pause before the next try to connect.
    #[serde(rename = "reconnectWaitSeconds")]
    pub reconnect_wait: GoDuration,
    /// Most messages in a queue; 0 is any number.
    pub max_len: i64,
    /// Most bytes in a queue; 0 is any number.
    pub max_len_bytes: i64,
    /// `fanout`, `topic`, `direct` or `headers`.
    pub exchange_kind: String,
    /// Publishing waits for the server's word that it has the message.
    pub publisher_confirm: bool,
    /// How long messages live; nothing is for ever. Alias: `ttl`.
    #[serde(alias = "ttl")]
    pub ttl_in_seconds: String,
    /// `parallel`, or `single`: one message after the other.
    pub concurrency_mode: String,
    /// Properties and headers of a message become its metadata.
    pub publish_message_properties_to_metadata: bool,
    /// Name of the connection, which the server shows.
    pub client_name: String,
    /// How often the two sides look whether the other one is there.
    #[serde(rename = "heartBeat")]
    pub heartbeat: GoDuration,
    /// Certificates that the server's is checked against, as PEM.
    pub ca_cert: String,
    /// Certificate of the client, as PEM.
    pub client_cert: String,
    /// Key of the client's certificate, as PEM.
    pub client_key: Secret,
    /// The client's certificate says who we are, in place of user and password.
    pub sasl_external: bool,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            connection_string: Secret::default(),
            protocol: String::new(),
            hostname: "localhost".to_owned(),
            username: String::new(),
            password: Secret::default(),
            consumer_id: String::new(),
            durable: true,
            deleted_when_unused: true,
            auto_ack: false,
            delivery_mode: 0,
            requeue_in_failure: false,
            enable_dead_letter: false,
            prefetch_count: 0,
            reconnect_wait: Duration::from_secs(3).into(),
            max_len: 0,
            max_len_bytes: 0,
            exchange_kind: "fanout".to_owned(),
            publisher_confirm: false,
            ttl_in_seconds: String::new(),
            concurrency_mode: "parallel".to_owned(),
            publish_message_properties_to_metadata: false,
            client_name: String::new(),
            heartbeat: Duration::from_secs(10).into(),
            ca_cert: String::new(),
            client_cert: String::new(),
            client_key: Secret::default(),
            sasl_external: false,
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read, or that RabbitMQ does not know.
    pub fn read(properties: &Properties, app_id: &str) -> Result<Self> {
        let mut read: Self = properties.decode()?;
        if read.consumer_id.is_empty() {
            app_id.clone_into(&mut read.consumer_id);
        }
        if read.delivery_mode > 2 {
            return Err(Error::invalid("invalid RabbitMQ delivery mode, accepted values are between 0 and 2"));
        }
        let known = |value: &str, values: &[&str]| values.contains(&value);
        if !known(&read.exchange_kind, &["fanout", "topic", "direct", "headers"]) {
            return Err(Error::invalid(format!("invalid RabbitMQ exchange kind {}", read.exchange_kind)));
        }
        if !known(&read.concurrency_mode, &["", "parallel", "single"]) {
            return Err(Error::invalid(format!("invalid concurrencyMode {}", read.concurrency_mode)));
        }
        read.check_protocol()?;
        let certificates = [read.ca_cert.is_empty(), read.client_cert.is_empty(), read.client_key.is_empty()];
        if read.sasl_external && certificates.contains(&true) {
            return Err(Error::invalid("saslExternal needs caCert, clientCert and clientKey"));
        }
        Ok(read)
    }

    fn check_protocol(&self) -> Result<()> {
        let scheme = self.connection_string.expose().split_once("://").map(|(scheme, _)| scheme);
        match scheme {
            Some(scheme) if !self.protocol.is_empty() && scheme != self.protocol => {
                Err(Error::invalid(format!("protocol {} does not match the connection string", self.protocol)))
            }
            _ => Ok(()),
        }
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
            is_identity: self.sasl_external,
        };
        Server::new(&self.uri(), self.heartbeat.0, &self.client_name, &certificates)
    }

    fn uri(&self) -> String {
        if !self.connection_string.is_empty() {
            return self.connection_string.expose().to_owned();
        }
        let scheme = if self.protocol.is_empty() { "amqp" } else { &self.protocol };
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let who = match (self.username.as_str(), self.password.expose()) {
            ("", _) => String::new(),
            (user, "") => format!("{}@", encoded(user)),
            (user, password) => format!("{}:{}@", encoded(user), encoded(password)),
        };
        format!("{scheme}://{who}{}", self.hostname)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Metadata> {
        Metadata::read(&pairs.iter().copied().collect::<Properties>(), "app")
    }

    #[test]
    fn where_the_server_is() {
        let metadata = read(&[("hostname", "x:5673"), ("username", "me"), ("password", "a/b")]).unwrap();
        assert_eq!(metadata.uri(), "amqp://me:a%2Fb@x:5673");
        assert_eq!(metadata.server().unwrap().name, "x:5673");
        assert_eq!(read(&[("host", "amqp://y")]).unwrap().server().unwrap().name, "y:5672");
        assert_eq!(read(&[]).unwrap().server().unwrap().name, "localhost:5672");
        assert_eq!(read(&[("host", "amqp://me@[::1]:3/v")]).unwrap().server().unwrap().name, "::1:3");
        assert!(read(&[("connectionString", "amqp://y"), ("protocol", "amqps")]).is_err());
    }

    #[test]
    fn what_rabbitmq_does_not_know() {
        for pair in
            [("deliveryMode", "3"), ("exchangeKind", "round"), ("concurrencyMode", "many"), ("saslExternal", "true")]
        {
            assert!(read(&[pair]).is_err(), "{pair:?}");
        }
        let error = read(&[("connectionString", "secret@x")]).unwrap().server().unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
