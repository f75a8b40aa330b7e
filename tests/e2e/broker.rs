//! The broker on SQLite: what was acknowledged is not lost, whoever is killed.
use crate::app::App;
use crate::sidecar::{Setup, publish};
use crate::wait::until;
use http::StatusCode;
use std::path::Path;
use std::sync::Mutex;

const TOPIC: &str = "orders";
const MESSAGES: usize = 300;

fn sidecar(app_id: &str, app: Option<&App>, file: &Path) -> Setup {
    let file = file.display().to_string();
    let metadata = [("connectionString", file.as_str()), ("redeliverInterval", "50ms"), ("visibilityTimeout", "500ms")];
    Setup::new(app_id, app.map(|app| app.port)).component("broker", "pubsub.sqlite", &metadata)
}

/// Tries to publish all messages; notes those that the sidecar said are safe.
async fn publish_all(port: u16, acknowledged: &Mutex<Vec<String>>) {
    for number in 0..MESSAGES {
        let text = format!("order {number}");
        if publish(port, TOPIC, &text).await {
            acknowledged.lock().unwrap().push(text);
        }
    }
}

async fn all_arrived(app: &App, acknowledged: &[String]) {
    until("all acknowledged messages have arrived", async || {
        let arrived = app.events();
        acknowledged.iter().all(|text| arrived.contains(text))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_subscriber_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.db");
    let app = App::subscriber(TOPIC).await;
    let mut subscriber = sidecar("subscriber", Some(&app), &file).start().await;
    let publisher = sidecar("publisher", None, &file).start().await;
    let acknowledged = Mutex::new(Vec::new());
    let kills = async {
        for so_many in [MESSAGES / 10, MESSAGES / 2] {
            until("some messages have arrived", async || app.events().len() > so_many).await;
            subscriber.kill();
            subscriber.restart().await;
        }
    };
    tokio::join!(publish_all(publisher.port, &acknowledged), kills);
    let acknowledged = acknowledged.into_inner().unwrap();
    assert_eq!(acknowledged.len(), MESSAGES);
    all_arrived(&app, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_publisher_loses_nothing_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.db");
    let app = App::subscriber(TOPIC).await;
    let _subscriber = sidecar("subscriber", Some(&app), &file).start().await;
    let mut publisher = sidecar("publisher", None, &file).start().await;
    let acknowledged = Mutex::new(Vec::new());
    let port = publisher.port;
    let publish = publish_all(port, &acknowledged);
    let kill = async {
        until("some messages are acknowledged", async || acknowledged.lock().unwrap().len() > MESSAGES / 3).await;
        publisher.kill();
        publisher.restart().await;
    };
    tokio::join!(publish, kill);
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() > MESSAGES / 3);
    all_arrived(&app, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_refused_comes_again_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.db");
    let app = App::subscriber(TOPIC).await;
    app.answer("/events", StatusCode::INTERNAL_SERVER_ERROR, "");
    let mut sidecar = sidecar("both", Some(&app), &file).start().await;
    assert!(publish(sidecar.port, TOPIC, "refused").await);
    until("the message was refused", async || !app.events().is_empty()).await;
    sidecar.kill();
    app.answer("/events", StatusCode::OK, "");
    let refused = app.events().len();
    sidecar.restart().await;
    until("the message came again", async || app.events().len() > refused).await;
    assert!(app.events().iter().all(|text| text == "refused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_group_gets_every_message_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.db");
    let (first, second) = (App::subscriber(TOPIC).await, App::subscriber(TOPIC).await);
    let publisher = sidecar("first", Some(&first), &file).start().await;
    let _second = sidecar("second", Some(&second), &file).start().await;
    let acknowledged = Mutex::new(Vec::new());
    publish_all(publisher.port, &acknowledged).await;
    let acknowledged = acknowledged.into_inner().unwrap();
    for app in [&first, &second] {
        until("all messages have arrived", async || app.events().len() >= MESSAGES).await;
        assert_eq!(app.events(), acknowledged);
    }
}

/// The publisher starts first, and the app refuses everything.
#[tokio::test(flavor = "multi_thread")]
async fn bulks_are_as_large_as_the_app_takes_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.db");
    let publisher = sidecar("publisher", None, &file).start().await;
    for number in 0..12 {
        assert!(publish(publisher.port, TOPIC, &number.to_string()).await);
    }
    let bulk = serde_json::json!({"enabled": true, "maxMessagesCount": 10});
    let subscription =
        serde_json::json!([{"pubsubname": "broker", "topic": TOPIC, "route": "/bulk", "bulkSubscribe": bulk}]);
    let refusal = ("/bulk", StatusCode::INTERNAL_SERVER_ERROR, "");
    let app = App::start(&[("/dapr/subscribe", StatusCode::OK, &subscription.to_string()), refusal]).await;
    let _subscriber = sidecar("subscriber", Some(&app), &file).start().await;
    until("two bulks have arrived", async || app.bodies("/bulk").len() >= 2).await;
    for body in app.bodies("/bulk") {
        let bulk: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let data = bulk["entries"].as_array().unwrap().iter().map(|entry| entry["event"]["data"].as_str().unwrap());
        let expected: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        assert_eq!(data.collect::<Vec<_>>(), expected, "what failed comes first");
    }
}
