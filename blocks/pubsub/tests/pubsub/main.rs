//! Publishing through both transports and delivery to HTTP and gRPC apps, over the in-memory broker.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod brokers;
mod world;

use axum::body::Body;
use block_pubsub::{Declared, Kind, bulk_publish_event, publish_event};
use brokers::Stuck;
use component_api::pubsub::Publishing;
use foundation_app::{Rule, Subscription};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use tonic::Code;
use wire::runtime::v1::topic_event_response::TopicEventResponseStatus as Status;
use wire::runtime::v1::{BulkPublishRequest, BulkPublishRequestEntry, PublishEventRequest};
use world::{Talk, World, instance, route, subscriptions};

#[tokio::test]
async fn an_event_reaches_the_app() {
    let mut world =
        World::with(subscriptions(&[("orders", json!({"route": "/orders"})), ("a/b", json!({"route": "deep"}))])).await;
    assert_eq!(world.publish("pubsub/orders", r#"{"n":1}"#).await, StatusCode::NO_CONTENT);
    let event = world.app.next().await;
    assert_eq!(
        (event.path.as_str(), &event.headers["content-type"]),
        ("/orders", &"application/cloudevents+json".parse().unwrap())
    );
    assert_eq!(event.headers["pubsubname"], "pubsub");
    assert_eq!(
        (&event.json["data"], &event.json["source"], &event.json["topic"]),
        (&json!({"n": 1}), &json!("golden"), &json!("orders"))
    );
    assert_eq!(
        world.publish("pubsub/a/b?metadata.color=red&metadata.cloudevent.type=gold", "1").await,
        StatusCode::NO_CONTENT
    );
    let event = world.app.next().await;
    assert_eq!((event.path.as_str(), &event.json["type"]), ("/deep", &json!("gold")));
    assert_eq!(
        (&event.headers["color"], &event.headers["cloudevent.type"]),
        (&"red".parse().unwrap(), &"gold".parse().unwrap())
    );
}

#[tokio::test]
async fn an_event_published_over_grpc() {
    let mut world = World::with(subscriptions(&[
        ("orders", route("/orders")),
        ("raw", json!({"route": "/raw", "metadata": {"rawPayload": "true"}})),
    ]))
    .await;
    let event = |topic: &str, raw: &str| PublishEventRequest {
        pubsub_name: "pubsub".to_owned(),
        topic: topic.to_owned(),
        data: "hi".into(),
        data_content_type: "text/plain".to_owned(),
        metadata: [("rawPayload".to_owned(), raw.to_owned())].into(),
    };
    publish_event(&world.service, tonic::Request::new(event("orders", ""))).await.unwrap();
    assert_eq!(world.app.next().await.json["data"], "hi");
    publish_event(&world.service, tonic::Request::new(event("raw", "true"))).await.unwrap();
    let event = world.app.next().await;
    assert_eq!((&event.json["data_base64"], &event.json["source"]), (&json!("aGk="), &json!("Dapr")));
    assert_eq!(event.headers["rawpayload"], "true");
}

#[tokio::test]
async fn raw_messages_come_as_they_were_sent() {
    let mut world = World::with(subscriptions(&[("orders", route("/orders"))])).await;
    world.publish("pubsub/orders?metadata.rawPayload=true", "no JSON").await;
    world.publish("pubsub/orders?metadata.rawPayload=true", r#"{"n":1}"#).await;
    assert_eq!(world.app.next().await.json, json!({"n": 1}), "the first one is no event at all");
}

#[tokio::test]
async fn what_http_callers_are_told() {
    let world = World::with(Value::Null).await;
    let (status, body) = world.call("/v1.0/publish/nope/orders", "1").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let info = |reason: &str, metadata: Value| json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "dapr.io", "metadata": metadata});
    let expected = json!({"errorCode": "ERR_PUBSUB_NOT_FOUND", "message": "pubsub nope is not found", "details": [info("DAPR_PUBSUB_NOT_FOUND", json!({}))]});
    assert_eq!(body, expected);
    let (status, body) = world.call("/v1.0/publish/pubsub/a?metadata.rawPayload=maybe", "1").await;
    assert_eq!((status, &body["errorCode"]), (StatusCode::BAD_REQUEST, &json!("ERR_PUBSUB_REQUEST_METADATA")));
    assert_eq!(
        body["message"],
        "failed deserializing metadata. Error: rawPayload value must be a valid boolean: actual is 'maybe'"
    );
    assert_eq!(body["details"][1], info("DAPR_PUBSUB_METADATA_DESERIALIZATION", json!({"rawPayload": "maybe"})));
    let (status, body) = world.call("/v1.0/publish/bulk/pubsub", "[]").await;
    assert_eq!((status, &body["message"]), (StatusCode::NOT_FOUND, &json!("pubsub bulk is not found")));
    let (status, body) = world.call("/v1.0-alpha1/publish/bulk/pubsub/a", r#"{"entryID": "}"#).await;
    assert_eq!((status, &body["errorCode"]), (StatusCode::BAD_REQUEST, &json!("ERR_PUBSUB_EVENTS_SER")));
    assert_eq!(body["message"], "error when unmarshaling the request for topic a pubsub pubsub: unexpected EOF");
    let twice = r#"[{"entryId":"1","event":1,"contentType":"application/json"},{"entryId":"1","event":1,"contentType":"application/json"}]"#;
    let (status, body) = world.call("/v1.0/publish/bulk/pubsub/a", twice).await;
    assert_eq!(
        (status, &body["details"][1]["reason"]),
        (StatusCode::BAD_REQUEST, &json!("DAPR_PUBSUB_MARSHAL_EVENTS"))
    );
    let (status, body) = world.call("/v1.0/publish/guarded/secret", "1").await;
    assert_eq!(
        (status, &body["message"]),
        (StatusCode::FORBIDDEN, &json!("topic secret is not allowed for app id golden"))
    );
    for unrouted in ["/v1.0/publish/pubsub", "/v1.0/publish/pubsub/", "/v1.0/publish"] {
        assert_eq!(world.call(unrouted, "1").await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_body_above_the_limit_is_a_failed_publish() {
    let world = World::with(Value::Null).await;
    let body = Body::new(http_body_util::Limited::new(Body::from("12345"), 4));
    let (status, body) = world.send(Request::post("/v1.0/publish/pubsub/a").body(body).unwrap()).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(body["message"], "error when publishing to topic a in pubsub pubsub: stream too large");
    assert_eq!(body["details"][1]["metadata"], json!({"topic": "a", "error": "stream too large"}));
}

#[tokio::test]
async fn what_grpc_callers_are_told() {
    let world = World::with(Value::Null).await;
    let cases = [
        ("nope", "a", "", Code::InvalidArgument, "pubsub nope is not found"),
        ("", "a", "", Code::InvalidArgument, "pubsub name is empty"),
        ("pubsub", "", "", Code::InvalidArgument, "topic is empty in pubsub pubsub"),
        ("guarded", "secret", "", Code::PermissionDenied, "topic secret is not allowed for app id golden"),
        ("pubsub", "a", "application/cloudevents+json", Code::InvalidArgument, "cannot create cloudevent"),
    ];
    for (pubsub, topic, content_type, code, message) in cases {
        let (pubsub_name, topic) = (pubsub.to_owned(), topic.to_owned());
        let data_content_type = content_type.to_owned();
        let request = PublishEventRequest { pubsub_name, topic, data_content_type, ..PublishEventRequest::default() };
        let status = publish_event(&world.service, tonic::Request::new(request)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, message));
    }
    let request = BulkPublishRequest {
        pubsub_name: "pubsub".to_owned(),
        topic: "a".to_owned(),
        entries: vec![BulkPublishRequestEntry::default()],
        ..BulkPublishRequest::default()
    };
    let status = bulk_publish_event(&world.service, tonic::Request::new(request)).await.unwrap_err();
    assert_eq!(
        status.message(),
        "error marshaling events to bytes for topic a pubsub pubsub. error: entryId is duplicated or not present for entry"
    );
}

#[tokio::test]
async fn a_bulk_is_published_or_told_entry_by_entry() {
    let mut world = World::with(subscriptions(&[("orders", route("/orders"))])).await;
    let bulk = r#"[{"entryId":"1","event":{"n":1},"contentType":"application/json","metadata":{"cloudevent.type":"gold"}},
        {"entryId":"2","event":"bad","contentType":"text/plain"}]"#;
    assert_eq!(world.call("/v1.0/publish/bulk/pubsub/orders", bulk).await.0, StatusCode::NO_CONTENT);
    let (first, second) = (world.app.next().await, world.app.next().await);
    assert_eq!((&first.json["type"], &second.json["data"]), (&json!("gold"), &json!("bad")));
    let (status, body) = world.call("/v1.0/publish/bulk/picky/orders?metadata.rawPayload=true", bulk).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let failed =
        json!({"failedEntries": [{"entryId": "2", "error": "too bad"}], "errorCode": "ERR_PUBSUB_PUBLISH_MESSAGE"});
    assert_eq!(body, failed);
}

#[tokio::test]
async fn what_the_app_says_decides() {
    let dead = json!({"route": "/a", "deadLetterTopic": "dead"});
    let rules = json!({"routes": {"rules": [{"match": "event.type == 'x'", "path": "/n"}]}, "deadLetterTopic": "dead"});
    let mut world =
        World::with(subscriptions(&[("a", dead), ("dead", route("/dead")), ("n", rules), ("plain", route("/plain"))]))
            .await;
    for (status, body) in [
        (200, r#"{"status":"DROP"}"#),
        (404, ""),
        (500, ""),
        (200, r#"{"status":"RETRY"}"#),
        (200, r#"{"status":"success"}"#),
    ] {
        world.app.answer("/a", status, body);
        world.publish("pubsub/a", "1").await;
        assert_eq!(world.app.next().await.path, "/a");
        let event = world.app.next().await;
        assert_eq!((event.path.as_str(), &event.json["topic"]), ("/dead", &json!("a")), "{status} {body}");
    }
    world.publish("pubsub/n", "1").await;
    assert_eq!(world.app.next().await.path, "/dead", "no rule wants it");
    for (status, body) in [(200, ""), (204, ""), (200, "hello"), (200, r#"{"status":"SUCCESS"}"#)] {
        world.app.answer("/a", status, body);
        world.publish("pubsub/a", "1").await;
        assert_eq!(world.app.next().await.path, "/a", "{status} {body}");
    }
    world.publish("pubsub/plain", "1").await;
    assert_eq!(world.app.next().await.path, "/plain", "nothing else came in between");
    world.app.answer("/plain", 500, "");
    world.publish("patient/plain", "1").await;
    for _ in 0..3 {
        assert_eq!(world.app.next().await.path, "/plain", "as often as the policy says");
    }
}

#[tokio::test]
async fn late_events_are_dropped() {
    let mut world = World::with(subscriptions(&[("orders", route("/orders"))])).await;
    let late = r#"{"id":"late","expiration":"2020-01-01T00:00:00Z"}"#;
    world.publish("pubsub/orders?metadata.rawPayload=true", late).await;
    world.publish("pubsub/orders?metadata.ttlInSeconds=600", "1").await;
    let event = world.app.next().await;
    assert!(event.json["expiration"].as_str().is_some());
}

#[tokio::test]
async fn bulks_are_collected_for_the_app() {
    let bulk = json!({"route": "/b", "deadLetterTopic": "dead", "bulkSubscribe": {"enabled": true, "maxMessagesCount": 10, "maxAwaitDurationMs": 20}});
    let mut world = World::with(subscriptions(&[("b", bulk), ("dead", route("/dead"))])).await;
    world.app.answer("/b", 200, "SUCCESS for all");
    world.publish("pubsub/b", "1").await;
    let event = world.app.next().await;
    assert_eq!(event.headers["content-type"], "application/json");
    assert_eq!(
        (&event.json["type"], &event.json["metadata"]),
        (&json!("com.dapr.event.sent.bulk"), &json!({"pubsubName": "pubsub"}))
    );
    let entry = &event.json["entries"][0];
    assert_eq!(
        (&entry["event"]["data"], &entry["contentType"], &entry["metadata"]),
        (&json!(1), &json!("application/cloudevents+json"), &json!({}))
    );
    for (status, body) in [
        (200, ""),
        (200, "DROP for all"),
        (200, "RETRY for all"),
        (200, "LATER for all"),
        (500, ""),
        (200, r#"{"statuses":[]}"#),
        (200, "hello"),
    ] {
        world.app.answer("/b", status, body);
        world.publish("pubsub/b", "2").await;
        assert_eq!(world.app.next().await.path, "/b");
        assert_eq!(world.app.next().await.path, "/dead", "{status} {body}");
    }
    world.app.answer("/b", 404, "");
    world.publish("pubsub/b", "3").await;
    assert_eq!(world.app.next().await.path, "/b");
    world.publish("pubsub/dead", "4").await;
    assert_eq!(world.app.next().await.json["data"], 4, "a bulk that is not there is dropped without a dead letter");
}

#[tokio::test]
async fn a_bulk_that_is_full_does_not_wait() {
    let bulk = json!({"enabled": true, "maxMessagesCount": 2, "maxAwaitDurationMs": 3_600_000});
    let bulk = json!([{"pubsubname": "eager", "topic": "b", "route": "/b", "bulkSubscribe": bulk}]);
    let mut world = World::with(bulk).await;
    for number in ["1", "2"] {
        world.publish("eager/b", number).await;
    }
    let event = world.app.next().await;
    assert_eq!(event.json["entries"].as_array().unwrap().len(), 2);
}

fn declared(name: &str, topic: &str, path: &str) -> Declared {
    let rules = vec![Rule { expression: None, path: path.to_owned() }];
    let (pubsub, topic) = ("pubsub".to_owned(), topic.to_owned());
    Declared { name: name.to_owned(), subscription: Subscription { pubsub, topic, rules, ..Subscription::default() } }
}

#[tokio::test]
async fn resources_and_the_app_are_merged() {
    let mut world = World::with(subscriptions(&[("both", route("/app"))])).await;
    for one in [declared("1", "both", "/resource"), declared("2", "own", "/own")] {
        world.subscriber.declare(one).unwrap();
    }
    world.subscriber.reconcile().await;
    let listed = world.subscriber.list().into_iter().filter(|one| one.pubsub == "pubsub");
    let listed: Vec<_> = listed.map(|one| (one.topic, one.kind)).collect();
    assert_eq!(listed, [("both".to_owned(), Kind::Programmatic), ("own".to_owned(), Kind::Declarative)]);
    world.publish("pubsub/both", "1").await;
    assert_eq!(world.app.next().await.path, "/app");
    world.publish("pubsub/own", "1").await;
    assert_eq!(world.app.next().await.path, "/own");
    world.subscriber.undeclare("2");
    world.subscriber.reconcile().await;
    world.publish("pubsub/own", "2").await;
    world.publish("pubsub/both", "3").await;
    assert_eq!(world.app.next().await.json["data"], 3);
}

#[tokio::test]
async fn one_bad_rule_spoils_what_the_app_says() {
    let bad = json!({"routes": {"rules": [{"match": "event.type ==", "path": "/x"}]}});
    let world = World::with(subscriptions(&[("bad", bad), ("good", route("/good"))])).await;
    assert!(world.subscriber.list().is_empty());
}

#[tokio::test]
async fn brokers_come_and_go() {
    let mut world = World::with(subscriptions(&[("orders", route("/orders"))])).await;
    world.replace_broker("pubsub", &[]);
    world.subscriber.reconcile().await;
    world.publish("pubsub/orders", "1").await;
    assert_eq!(world.app.next().await.json["data"], 1, "the new one is subscribed");
    let _old = world.brokers.remove("pubsub");
    world.subscriber.reconcile().await;
    assert_eq!(world.publish("pubsub/orders", "2").await, StatusCode::NOT_FOUND);
    world.replace_broker("pubsub", &[("x", "{namespace}"), ("subscriptionScopes", "golden=other")]);
    world.subscriber.declare(declared("1", "other", "/other")).unwrap();
    world.subscriber.reconcile().await;
    world.publish("pubsub/orders", "3").await;
    world.publish("pubsub/other", "4").await;
    let event = world.app.next().await;
    assert_eq!((event.path.as_str(), &event.json["topic"]), ("/other", &json!("other")), "orders is out of scope");
}

#[tokio::test]
async fn a_hanging_event_holds_nothing_up() {
    let mut world = World::with(subscriptions(&[("orders", route("/orders"))])).await;
    let _hold = world.app.hold("/orders");
    world.publish("pubsub/orders", "1").await;
    assert_eq!(world.app.next().await.json["data"], 1);
    world.replace_broker("pubsub", &[]);
    world.subscriber.reconcile().await;
    world.publish("pubsub/orders", "2").await;
    assert_eq!(world.app.next().await.json["data"], 2, "the one that replaces it is at work");
}

#[tokio::test]
async fn a_broker_that_is_slow_to_subscribe_holds_nothing_up() {
    let mut world = World::with(subscriptions(&[])).await;
    world.brokers.insert(instance("patient", Arc::new(Stuck), &[]));
    let mut stuck = declared("1", "orders", "/stuck");
    stuck.subscription.pubsub = "patient".to_owned();
    world.subscriber.declare(stuck).unwrap();
    let mut reconcile = std::pin::pin!(world.subscriber.reconcile());
    assert!(futures_util::poll!(&mut reconcile).is_pending());
    let mut talk = Talk::with(&world.subscriber);
    talk.ask("pubsub", "streamed");
    assert!(talk.hear().await.unwrap().is_none());
    world.subscriber.declare(declared("2", "orders", "/orders")).unwrap();
    world.subscriber.reconcile().await;
    world.publish("pubsub/orders", "1").await;
    assert_eq!(world.app.next().await.path, "/orders");
    world.subscriber.end(Publishing::Ends).await;
}

#[tokio::test]
async fn stopping_waits_for_what_is_in_work() {
    let mut world = World::with(subscriptions(&[("orders", route("/orders"))])).await;
    let hold = world.app.hold("/orders");
    world.publish("pubsub/orders", "1").await;
    assert_eq!(world.app.next().await.json["data"], 1);
    let stop = world.subscriber.stop();
    tokio::pin!(stop);
    assert!(futures_util::poll!(&mut stop).is_pending());
    world.publish("pubsub/orders", "2").await;
    hold.send(()).unwrap();
    stop.await;
    world.subscriber.start().await;
    world.publish("pubsub/orders", "3").await;
    assert_eq!(world.app.next().await.json["data"], 3, "2 came when nobody was there");
    world.subscriber.end(Publishing::Ends).await;
    world.subscriber.start().await;
    world.publish("pubsub/orders", "4").await;
    assert!(world.app.is_quiet());
}

#[tokio::test]
async fn a_grpc_app_gets_events_and_bulks() {
    let (mut app, world) = world::grpc().await;
    world.publish("pubsub/orders", r#"{"n":1}"#).await;
    let event = app.recv().await.unwrap();
    assert_eq!((event.topic.as_str(), event.pubsub_name.as_str(), event.path.as_str()), ("orders", "pubsub", ""));
    assert_eq!((&event.data[..], event.data_content_type.as_str()), (br#"{"n":1}"# as &[u8], "application/json"));
    world.publish("pubsub/drop", "2").await;
    assert_eq!(app.recv().await.unwrap().topic, "drop");
    let dead = app.recv().await.unwrap();
    assert_eq!((dead.topic.as_str(), dead.path.as_str(), &dead.data[..]), ("dead", "/dead", b"2" as &[u8]));
}

#[tokio::test]
async fn a_stream_gets_events_and_answers_them() {
    let mut world = World::with(subscriptions(&[("dead", route("/dead"))])).await;
    let mut talk = Talk::with(&world.subscriber);
    talk.ask("pubsub", "orders");
    assert_eq!(talk.hear().await.unwrap(), None);
    assert_eq!(world.subscriber.list().iter().filter(|one| one.kind == Kind::Streaming).count(), 1);
    world.publish("pubsub/orders?metadata.cloudevent.id=1", "1").await;
    let event = talk.hear().await.unwrap().unwrap();
    assert_eq!((event.id.as_str(), event.path.as_str(), &event.data[..]), ("1", "/", b"1" as &[u8]));
    talk.process("nobody asked", Status::Success);
    talk.process("1", Status::Drop);
    assert_eq!(world.app.next().await.path, "/dead");
    world.publish("pubsub/orders?metadata.cloudevent.id=2", "2").await;
    assert_eq!(talk.hear().await.unwrap().unwrap().id, "2");
    talk.say = None;
    assert_eq!(talk.hear().await.unwrap_err().message(), "EOF");
    world.publish("pubsub/dead", "3").await;
    assert_eq!(world.app.next().await.json["data"], 3, "an event without an answer is no dead letter");
    assert!(world.subscriber.list().iter().all(|one| one.kind != Kind::Streaming));
}

#[tokio::test]
async fn what_is_wrong_with_a_stream_is_said_on_it() {
    let world = World::with(Value::Null).await;
    for (pubsub, topic, code, message) in [
        ("", "a", Code::Unknown, "pubsubName is required"),
        ("pubsub", "", Code::Unknown, "topic is required"),
        ("nope", "a", Code::InvalidArgument, "pubsub nope is not found"),
    ] {
        let mut talk = Talk::with(&world.subscriber);
        talk.ask(pubsub, topic);
        let status = talk.hear().await.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, message));
    }
    let mut talk = Talk::with(&world.subscriber);
    talk.process("1", Status::Success);
    assert_eq!(talk.hear().await.unwrap_err().message(), "initial request is required");
    let mut talk = Talk::with(&world.subscriber);
    talk.ask("pubsub", "a");
    assert_eq!(talk.hear().await.unwrap(), None);
    talk.ask("pubsub", "a");
    assert_eq!(talk.hear().await.unwrap_err().message(), "duplicate initial request received");
}

#[tokio::test]
async fn the_end_waits_for_streams() {
    let world = World::with(Value::Null).await;
    let mut talk = Talk::with(&world.subscriber);
    talk.ask("pubsub", "orders");
    assert_eq!(talk.hear().await.unwrap(), None);
    world.publish("pubsub/orders?metadata.cloudevent.id=1", "1").await;
    assert_eq!(talk.hear().await.unwrap().unwrap().id, "1");
    let end = world.subscriber.end(Publishing::Ends);
    tokio::pin!(end);
    assert!(futures_util::poll!(&mut end).is_pending());
    talk.process("1", Status::Success);
    end.await;
    assert_eq!(talk.hear().await.unwrap_err().message(), "stream closed");
}
