//! The one list of all component types of this build.
use component_api::Registry;

pub use component_pluggable::discover;

/// Makes all components known.
pub fn register_all(registry: &mut Registry) {
    component_conversation::register(registry);
    component_cron::register(registry);
    component_crypto::register(registry);
    component_http::register(registry);
    component_in_memory::register(registry);
    #[cfg(feature = "kafka")]
    component_kafka::register(registry);
    component_local::register(registry);
    component_mdns::register(registry);
    component_middleware::register(registry);
    #[cfg(feature = "mongodb")]
    component_mongodb::register(registry);
    #[cfg(feature = "mqtt")]
    component_mqtt::register(registry);
    #[cfg(feature = "mysql")]
    component_mysql::register(registry);
    #[cfg(feature = "nats")]
    component_nats::register(registry);
    #[cfg(feature = "postgres")]
    component_postgres::register(registry);
    #[cfg(feature = "rabbitmq")]
    component_rabbitmq::register(registry);
    #[cfg(feature = "redis")]
    component_redis::register(registry);
    component_sqlite::register(registry);
    #[cfg(feature = "vault")]
    component_vault::register(registry);
}
