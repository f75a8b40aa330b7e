//! A cluster, and the clients of it.
use crate::SCOPE;
use crate::error::{Trouble, broken_off, translate};
use crate::metadata::{Metadata, Offset, Strategy};
use crate::security;
use crate::token::Tokens;
use component_api::{Error, Result};
use rdkafka::client::{Client, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, ClientContext};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

/// How long the first contact may take if nothing is said.
const CONTACT: Duration = Duration::from_secs(10);
/// After which time it is looked whether an answer can still be hoped for.
const LOOK: Duration = Duration::from_millis(250);
/// How long a message may take to reach the brokers, with all tries.
const DELIVERY: Duration = Duration::from_secs(15);
/// Most messages, and kilobytes of them, that wait to be sent.
const SENDING: (u32, u32) = (10_000, 65_536);
/// Most kilobytes of messages that are fetched ahead by a subscription.
const FETCHED_AHEAD: u32 = 16_384;

/// What the library says of a refusal by the other side of TLS.
const ALERT: &str = "SSL alert number";

/// A cluster of Kafka, and how it is used.
pub(crate) struct Cluster {
    pub(crate) metadata: Metadata,
    tokens: Option<Arc<Tokens>>,
}

/// What a client asks of us, and tells us.
#[derive(Clone)]
pub(crate) struct Context {
    tokens: Option<Arc<Tokens>>,
    runtime: Handle,
    trouble: Arc<Mutex<Option<Trouble>>>,
}

impl Cluster {
    /// # Errors
    /// Metadata that cannot be used.
    pub(crate) fn new(metadata: Metadata) -> Result<Self> {
        let tokens = Tokens::new(&metadata.security)?.map(Arc::new);
        let cluster = Self { metadata, tokens };
        cluster.producing()?.create_native_config().map_err(|error| cluster.translate(&error, None))?;
        Ok(cluster)
    }

    /// Its name in messages.
    pub(crate) fn brokers(&self) -> &str {
        &self.metadata.connection.brokers
    }

    /// Must be called in a runtime.
    pub(crate) fn context(&self) -> Context {
        Context { tokens: self.tokens.clone(), runtime: Handle::current(), trouble: Arc::default() }
    }

    /// An error of a client of this cluster in the components' terms.
    pub(crate) fn translate(&self, error: &KafkaError, context: Option<&Context>) -> Error {
        translate(self.brokers(), error, context.and_then(Context::trouble).as_ref())
    }

    /// How long asking for partitions may take.
    pub(crate) fn contact(&self) -> Duration {
        let given = self.metadata.connection.metadata_timeout.0;
        if given.is_zero() { CONTACT } else { given }
    }

    /// Settings of those who publish.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub(crate) fn producing(&self) -> Result<ClientConfig> {
        let connection = &self.metadata.connection;
        let mut config = self.config()?;
        config
            .set("acks", connection.acknowledgements()?)
            .set("message.send.max.retries", connection.producer_retry_max.to_string())
            .set("compression.type", connection.compression.to_lowercase())
            // As Dapr's component does it: by the FNV-1a hash of the key, or by chance for each message.
            .set("partitioner", "fnv1a_random")
            .set("sticky.partitioning.linger.ms", "0")
            .set("linger.ms", "0")
            .set("max.in.flight", "5")
            .set("message.timeout.ms", milliseconds(DELIVERY.min(self.patience()), 1))
            .set("queue.buffering.max.messages", SENDING.0.to_string())
            .set("queue.buffering.max.kbytes", SENDING.1.to_string());
        Ok(config)
    }

    /// Settings of those who take messages. What was handled is committed every second, and at the end.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub(crate) fn consuming(&self) -> Result<ClientConfig> {
        let consuming = &self.metadata.consuming;
        let mut config = self.config()?;
        let strategy = match consuming.strategy() {
            Strategy::Range => "range",
            Strategy::RoundRobin => "roundrobin",
            Strategy::Sticky => "cooperative-sticky",
        };
        let reset = if consuming.offset()? == Offset::Oldest { "earliest" } else { "latest" };
        config
            .set("group.id", consuming.consumer_group.as_str())
            .set("auto.offset.reset", reset)
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "1000")
            .set("enable.auto.offset.store", "false")
            .set("session.timeout.ms", milliseconds(consuming.session_timeout.0, 1))
            .set("heartbeat.interval.ms", milliseconds(consuming.heartbeat_interval.0, 1))
            .set("max.poll.interval.ms", milliseconds(consuming.session_timeout.0, 300_000))
            .set("partition.assignment.strategy", strategy)
            .set("isolation.level", "read_uncommitted")
            .set("allow.auto.create.topics", "true");
        self.add_fetching(&mut config);
        Ok(config)
    }

    fn add_fetching(&self, config: &mut ClientConfig) {
        let consuming = &self.metadata.consuming;
        config
            .set("fetch.min.bytes", consuming.consumer_fetch_min.max(1).to_string())
            .set("max.partition.fetch.bytes", consuming.consumer_fetch_default.max(1).to_string())
            .set("queued.min.messages", consuming.channel_buffer_size.max(1).to_string())
            .set("queued.max.messages.kbytes", FETCHED_AHEAD.to_string())
            // With few messages fetched ahead, the next ones must not be waited for.
            .set("fetch.queue.backoff.ms", "20")
            .set("fetch.error.backoff.ms", "100");
    }

    fn config(&self) -> Result<ClientConfig> {
        let connection = &self.metadata.connection;
        let largest = if connection.max_message_bytes == 0 { 1 << 20 } else { connection.max_message_bytes.max(1000) };
        let refresh = connection.client_connection_topic_metadata_refresh_interval.0;
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.brokers())
            .set("client.id", connection.client_id.as_str())
            .set("message.max.bytes", largest.to_string())
            .set("receive.message.max.bytes", (u64::from(largest) + 1_000_000).max(100_000_000).to_string())
            .set("socket.timeout.ms", milliseconds(self.patience(), 1000))
            .set("socket.connection.setup.timeout.ms", milliseconds(connection.dial_timeout.0, 1000))
            .set("topic.metadata.refresh.interval.ms", milliseconds(refresh, 1000))
            .set("socket.keepalive.enable", "true")
            .set("socket.nagle.disable", "true")
            .set("reconnect.backoff.max.ms", "1000")
            .set_log_level(RDKafkaLogLevel::Warning);
        if !connection.version.is_empty() {
            config.set("broker.version.fallback", connection.version.as_str());
        }
        security::add(&mut config, &self.metadata.security)?;
        Ok(config)
    }

    /// How long a broker may take to answer.
    fn patience(&self) -> Duration {
        let connection = &self.metadata.connection;
        connection
            .read_timeout
            .0
            .max(connection.write_timeout.0)
            .clamp(Duration::from_secs(1), Duration::from_secs(300))
    }
}

impl Context {
    /// The last thing that is wrong, if anything is.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that the brokers are there.
    pub(crate) fn works(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(target: SCOPE, "kafka: {facility}: {text}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(mut code) = error.rdkafka_error_code() else { return };
        // A broker that does not take our certificate says so after the connection was made.
        if reason.contains(ALERT) {
            code = RDKafkaErrorCode::SSL;
        }
        tracing::debug!(target: SCOPE, "kafka: {reason}");
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *trouble {
            // That no broker can be reached follows from what was said before, which tells why.
            Some(known) if code == RDKafkaErrorCode::AllBrokersDown => known.ends_hope(),
            trouble => *trouble = Some(Trouble { code, reason: reason.to_owned() }),
        }
    }

    /// Is called on a thread of its own.
    fn generate_oauth_token(&self, _: Option<&str>) -> std::result::Result<OAuthToken, Box<dyn std::error::Error>> {
        let tokens = self.tokens.as_ref().ok_or("authType is not oidc")?;
        let token = self.runtime.block_on(tokens.token()).map_err(|error| error.to_string().replace('\0', ""))?;
        Ok(OAuthToken {
            token: token.text.expose().to_owned(),
            principal_name: tokens.client_id().replace('\0', ""),
            lifetime_ms: token.until,
        })
    }
}

/// What there is at the brokers, of one topic or of all; does not wait for longer than there is hope. `poll` has the client
/// tell what is wrong. Must be called on a thread that may wait.
pub(crate) fn contact<C: ClientContext>(
    client: &Client<C>,
    topic: Option<&str>,
    context: &Context,
    longest: Duration,
    poll: impl Fn(),
) -> std::result::Result<rdkafka::metadata::Metadata, KafkaError> {
    let start = Instant::now();
    context.works();
    loop {
        let found = client.fetch_metadata(topic, LOOK);
        poll();
        let is_hopeless = context.trouble().is_some_and(|trouble| trouble.is_decisive());
        if found.is_ok() || is_hopeless || start.elapsed() > longest {
            return found;
        }
    }
}

/// Does something that waits on a thread that may.
///
/// # Errors
/// Those of the work, or that it broke off.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.map_err(broken_off)?
}

/// As many whole milliseconds, but not fewer than `least`.
fn milliseconds(duration: Duration, least: u128) -> String {
    duration.as_millis().clamp(least, 3_600_000).to_string()
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(&self.brokers()).finish()
    }
}
