//! The common suite over the components of this crate, each test with a server of its own.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod bindings;
mod groups;
mod messages;
mod schemas;
mod secured;

use component_api::Properties;
use component_kafka::pubsub::KafkaBroker;
use conformance::pubsub::client::ready;
use conformance::server::{KafkaSettings, Server};
use std::net::SocketAddr;
use std::sync::Arc;

#[tokio::test]
#[ignore = "needs kafka: run ./test components"]
async fn broker() {
    let server = Server::kafka().await;
    let at = server.address();
    let subject = conformance::pubsub::Subject {
        open: Box::new(move |app: &str| ready(open(at, app, &[("initialOffset", "oldest")]))),
        ordered: true,
        shared: true,
        redelivers: true,
        keeps: true,
        carries_metadata: true,
        pattern: ("", ""),
    };
    conformance::pubsub::run(&subject).await;
    conformance::pubsub::run_batches(&subject).await;
}

/// Messages of several partitions, for groups that begin with what comes.
#[tokio::test]
#[ignore = "needs kafka: run ./test components"]
async fn crash_points() {
    let server = Server::kafka_with(|_| KafkaSettings { partitions: 3, ..KafkaSettings::default() }).await;
    let open = |at: SocketAddr, app: &str| ready(open(at, app, &[]));
    let subject = conformance::pubsub::crash::Subject { open: Box::new(open), server, keeps: false, shared: true };
    conformance::pubsub::crash::run(&subject).await;
}

fn open(at: SocketAddr, app: &str, more: &[(&str, &str)]) -> Arc<KafkaBroker> {
    let brokers = at.to_string();
    let own = [
        ("brokers", brokers.as_str()),
        ("authType", "none"),
        ("sessionTimeout", "1s"),
        ("heartbeatInterval", "100ms"),
        ("backOffDuration", "50ms"),
    ];
    let own = own.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    let properties = Properties::from_iter(own.chain(more.iter().copied()));
    Arc::new(KafkaBroker::read(&properties, app).unwrap())
}
