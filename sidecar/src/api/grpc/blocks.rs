//! What the Dapr service delegates to.
use std::sync::Arc;

/// The building blocks behind the service.
pub struct Blocks {
    pub invoke: Arc<block_invoke::Service>,
    pub state: Arc<block_state::Service>,
    pub crypto: Arc<block_crypto::Service>,
    pub pubsub: Arc<block_pubsub::Service>,
    pub secret: Arc<block_secret::Service>,
    pub binding: Arc<block_binding::Service>,
    pub subscriber: Arc<block_pubsub::Subscriber>,
    pub configuration: Arc<block_configuration::Service>,
    pub lock: Arc<block_lock::Service>,
    pub conversation: Arc<block_conversation::Service>,
    pub actors: Arc<block_actor::Service>,
    pub telemetry: Arc<block_telemetry::Service>,
    pub job: Arc<block_job::Service>,
    pub host: Arc<block_host::Service>,
}
