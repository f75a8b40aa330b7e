//! Every component that talks to a server of its own, and the embedded ones beside them.
use super::{Components, component, database};
use conformance::server::Server;

/// Starts all servers, one after the other: together they want more processors than there are.
pub(super) async fn start() -> Components {
    let (redis, postgres, mariadb) = (Server::redis().await, Server::postgres().await, Server::mariadb().await);
    let (rabbitmq, kafka, mosquitto) = (Server::rabbitmq().await, Server::kafka().await, Server::mosquitto().await);
    let (nats, mongodb) = (Server::nats().await, Server::mongodb().await);
    let mut files = embedded();
    files.extend(of_redis(&redis.address().to_string()));
    files.extend(of_postgres(&database(postgres.address())));
    files.extend(of_mysql(&format!("root@tcp({})/?time_zone='%2B00:00'", mariadb.address())));
    files.extend(of_rabbitmq(&format!("amqp://guest:guest@{}", rabbitmq.address())));
    files.extend(of_kafka(&kafka.address().to_string()));
    files.extend(of_mqtt(&format!("mqtt://{}", mosquitto.address())));
    let nats_url = format!("nats://{}", nats.address());
    files.push(component("nats", "pubsub.jetstream", &[("natsURL", nats_url)]));
    let place = format!("mongodb://{}", mongodb.address());
    files.push(component("mongodb", "state.mongodb", &[("connectionString", place)]));
    Components { files, _servers: vec![redis, postgres, mariadb, rabbitmq, kafka, mosquitto, nats, mongodb] }
}

fn embedded() -> Vec<String> {
    let file = [("connectionString", "file::memory:".to_owned())];
    vec![
        component("store", "state.in-memory", &[("actorStateStore", "true".to_owned())]),
        component("broker", "pubsub.in-memory", &[]),
        component("sqlite", "state.sqlite", &file),
        component("cron", "bindings.cron", &[("schedule", "@every 1h".to_owned())]),
        component("web", "bindings.http", &[("url", "http://127.0.0.1".to_owned())]),
        component("environment", "secretstores.local.env", &[]),
        component("echo", "conversation.echo", &[]),
    ]
}

fn of_redis(at: &str) -> Vec<String> {
    let kinds = ["state.redis", "pubsub.redis", "lock.redis", "configuration.redis", "bindings.redis"];
    named("redis", &kinds, &[("redisHost", at.to_owned())])
}

fn of_postgres(place: &str) -> Vec<String> {
    let kinds = ["state.postgresql", "bindings.postgresql"];
    named("postgres", &kinds, &[("connectionString", place.to_owned())])
}

fn of_mysql(place: &str) -> Vec<String> {
    let own = [("connectionString", place.to_owned()), ("url", place.to_owned())];
    let state = component("mysql-0", "state.mysql", &own[..1]);
    vec![state, component("mysql-1", "bindings.mysql", &own[1..])]
}

fn of_rabbitmq(place: &str) -> Vec<String> {
    let own = [("host", place.to_owned()), ("queueName", "queue".to_owned()), ("direction", "output".to_owned())];
    let broker = component("rabbitmq-0", "pubsub.rabbitmq", &[("connectionString", place.to_owned())]);
    vec![broker, component("rabbitmq-1", "bindings.rabbitmq", &own)]
}

fn of_kafka(at: &str) -> Vec<String> {
    let own = [("brokers", at), ("authType", "none"), ("publishTopic", "topic"), ("direction", "output")];
    let own = own.map(|(name, value)| (name, value.to_owned()));
    let broker = component("kafka-0", "pubsub.kafka", &own[..2]);
    vec![broker, component("kafka-1", "bindings.kafka", &own)]
}

fn of_mqtt(place: &str) -> Vec<String> {
    let own = [("url", place), ("topic", "topic"), ("direction", "output")];
    let own = own.map(|(name, value)| (name, value.to_owned()));
    let broker = component("mqtt-0", "pubsub.mqtt3", &own[..1]);
    vec![broker, component("mqtt-1", "bindings.mqtt3", &own)]
}

/// One component of each kind, all with the same properties.
fn named(name: &str, kinds: &[&str], properties: &[(&str, String)]) -> Vec<String> {
    let numbered = kinds.iter().enumerate();
    numbered.map(|(number, kind)| component(&format!("{name}-{number}"), kind, properties)).collect()
}
