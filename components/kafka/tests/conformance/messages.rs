//! What a message is made of.
use super::open;
use bytes::Bytes;
use component_api::Kind;
use component_api::pubsub::{Broker, BulkEntry, PublishRequest};
use conformance::patience::within;
use conformance::pubsub::client::{next, pairs, publish, subscribe};
use conformance::server::{KafkaSettings, Server};
use std::collections::BTreeSet;

#[tokio::test]
#[ignore = "needs kafka: run ./test components"]
async fn messages() {
    let server = Server::kafka_with(|_| KafkaSettings { partitions: 3, ..KafkaSettings::default() }).await;
    let broker = open(server.address(), "app", &[("escapeHeaders", "true"), ("excludeHeaderMetaRegex", "^hidden")]);
    broker.ping().await.unwrap();
    metadata(&*broker).await;
    keys(&*broker).await;
    bulk(&*broker).await;
    refused(&*broker).await;
    compressed(&server).await;
    broker.close().await.unwrap();
    assert!(broker.ping().await.is_err() && broker.publish(PublishRequest::default()).await.is_err(), "it is closed");
}

/// Keys, headers and places reach the app as metadata.
async fn metadata(broker: &dyn Broker) {
    let (mut inbox, subscription) = subscribe(broker, "metadata", &[]).await;
    let given = [("partitionKey", "a b"), ("partitionNumber", "2"), ("color", "rød"), ("hiddenColor", "blue")];
    publish(broker, "metadata", "1", &given).await;
    let message = next(&mut inbox).await;
    let of = |name: &str| message.metadata.get(name).map(String::as_str);
    assert_eq!((of("__key"), of("__topic"), of("__partition")), (Some("a+b"), Some("metadata"), Some("2")));
    assert_eq!((of("color"), of("hiddenColor"), of("partitionKey")), (Some("r%C3%B8d"), None, Some("a+b")));
    assert_eq!(of("__offset"), Some("0"));
    assert!(of("__timestamp").is_some_and(|time| time.parse::<u64>().is_ok_and(|time| time > 1_600_000_000_000)));
    // A message without a value says that its key is gone.
    publish(broker, "metadata", "null", &[("__key", "k")]).await;
    let message = next(&mut inbox).await;
    assert_eq!((message.data, message.metadata["__key"].as_str()), (Bytes::from("null"), "k"));
    within(subscription.close()).await;
}

/// The partition of a key is that of Dapr's component.
async fn keys(broker: &dyn Broker) {
    let (mut inbox, subscription) = subscribe(broker, "keys", &[]).await;
    // FNV-1a of 32 bits with its sign taken away, by the number of partitions.
    for (key, partition) in [("kafka", "2"), ("giberish123456789", "2"), ("1234", "0"), ("", "0")] {
        publish(broker, "keys", "1", &[("partitionKey", key)]).await;
        assert_eq!(next(&mut inbox).await.metadata["__partition"], partition, "{key}");
    }
    within(subscription.close()).await;
}

/// Metadata of the whole request go before those of an entry.
async fn bulk(broker: &dyn Broker) {
    let (mut inbox, subscription) = subscribe(broker, "bulk", &[]).await;
    let entry = |id: &str, partition: &str| BulkEntry {
        entry_id: id.to_owned(),
        data: Bytes::from(id.to_owned()),
        metadata: pairs(&[("partitionNumber", partition), ("color", "red")]),
        ..BulkEntry::default()
    };
    let entries = vec![entry("a", "0"), entry("b", "none"), entry("c", "2")];
    let failed = broker.bulk_publish("bulk", entries, pairs(&[("color", "blue")])).await;
    assert_eq!(failed.iter().map(|failed| failed.entry_id.as_str()).collect::<Vec<_>>(), ["b"]);
    let got = [next(&mut inbox).await, next(&mut inbox).await];
    assert_eq!(
        got.iter().map(|message| message.data.clone()).collect::<BTreeSet<_>>(),
        ["a".into(), "c".into()].into()
    );
    assert!(got.iter().all(|message| message.metadata["color"] == "blue"));
    within(subscription.close()).await;
}

/// Errors say what is wrong.
async fn refused(broker: &dyn Broker) {
    for (topic, text, metadata, kind) in [
        ("no topic!", "1", pairs(&[]), Kind::Invalid),
        ("keys", "1", pairs(&[("partitionNumber", "7")]), Kind::NotFound),
        ("keys", "1", pairs(&[("partitionNumber", "-7")]), Kind::Invalid),
        ("keys", "1", pairs(&[("valueSchemaType", "Protobuf")]), Kind::Invalid),
        ("keys", &"x".repeat(2 << 20), pairs(&[]), Kind::Invalid),
    ] {
        let (topic, data) = (topic.to_owned(), Bytes::from(text.to_owned()));
        let request = PublishRequest { topic, data, content_type: None, metadata };
        let error = within(broker.publish(request)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

/// All kinds of compression can be written and read.
async fn compressed(server: &Server) {
    for kind in ["gzip", "snappy", "lz4", "zstd"] {
        let broker = open(server.address(), "app", &[("compression", kind)]);
        let (mut inbox, subscription) = subscribe(&*broker, kind, &[]).await;
        let text = "compressible ".repeat(1000);
        publish(&*broker, kind, &text, &[]).await;
        assert_eq!(next(&mut inbox).await.data, text, "{kind}");
        within(subscription.close()).await;
    }
}
