//! Envelopes of all content types, and that no bytes break them.
use super::*;
use crate::event::read;
use component_api::pubsub::Message;
use foundation_json::{DEPTH, STACK, TooDeep};
use proptest::prelude::*;
use serde_json::{Value, json};

fn wrapped(content_type: &str, data: &[u8], metadata: &[(&str, &str)]) -> Result<Value, String> {
    let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let trace = Trace { parent: "00-parent".to_owned(), state: "a=1".to_owned() };
    let message = Unwrapped {
        app_id: "app",
        pubsub: "broker",
        topic: "orders",
        data,
        content_type,
        metadata: &metadata,
        trace: &trace,
        broker_expires: false,
    };
    wrap(&message).map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn a_plain_message() {
    let mut event = wrapped("application/json", br#"{"n":1}"#, &[]).unwrap();
    assert_eq!(event["id"].as_str().unwrap().len(), 36);
    assert!(event["time"].as_str().unwrap().ends_with('Z'));
    (event["id"], event["time"]) = (Value::Null, Value::Null);
    let expected = json!({
        "id": null, "time": null, "specversion": "1.0", "source": "app", "type": "com.dapr.event.sent",
        "datacontenttype": "application/json", "topic": "orders", "pubsubname": "broker", "traceid": "00-parent",
        "traceparent": "00-parent", "tracestate": "a=1", "data": {"n": 1},
    });
    assert_eq!(event, expected);
}

#[test]
fn data_by_content_type() {
    let cases: [(&str, &[u8], &str, Value); 9] = [
        ("", b"hi", "data", json!("hi")),
        ("application/json; charset=utf-8", b"[1]", "data", json!([1])),
        ("application/JSON", b"{\"n\":", "data", json!("{\"n\":")),
        ("application/json", b"", "data", json!("")),
        ("application/json", b"null", "data", json!(null)),
        ("application/vnd.x+json", b"{}", "data", json!("{}")),
        ("application/octet-stream", b"\x00\x01", "data_base64", json!("AAE=")),
        ("image/png", b"\x89PNG", "data", json!("\u{fffd}PNG")),
        ("application/cloudevents+protobuf", b"ab", "data_base64", json!("YWI=")),
    ];
    for (content_type, data, name, expected) in cases {
        assert_eq!(wrapped(content_type, data, &[]).unwrap()[name], expected, "{content_type} {data:?}");
    }
}

#[test]
fn numbers_keep_their_digits() {
    let metadata = Metadata::new();
    let trace = Trace::default();
    let data = br#"{"n":123456789012345678901234567890.10}"#;
    let message = Unwrapped {
        app_id: "app",
        pubsub: "",
        topic: "",
        data,
        content_type: "application/json",
        metadata: &metadata,
        trace: &trace,
        broker_expires: false,
    };
    let text = String::from_utf8(wrap(&message).unwrap().to_vec()).unwrap();
    assert!(text.contains("123456789012345678901234567890.10"), "{text}");
}

#[test]
fn attributes_can_be_overridden() {
    let event = wrapped(
        "",
        b"",
        &[
            ("CloudEvent.Id", "1"),
            ("cloudevent.source", "s"),
            ("cloudevent.type", "t"),
            ("cloudevent.subject", "u"),
            ("cloudevent.traceid", "x"),
            ("cloudevent.traceparent", "p"),
            ("cloudevent.tracestate", "q"),
        ],
    );
    let event = event.unwrap();
    for (name, value) in [
        ("id", "1"),
        ("source", "s"),
        ("type", "t"),
        ("subject", "u"),
        ("traceid", "p"),
        ("traceparent", "p"),
        ("tracestate", "q"),
    ] {
        assert_eq!(event[name], value, "{name}");
    }
    assert_eq!(wrapped("", b"", &[("cloudevent.source", "")]).unwrap()["source"], "Dapr");
}

#[test]
fn a_given_event_gets_what_it_lacks() {
    let event =
        wrapped(CLOUD_EVENT, br#"{"data":1,"traceid":"mine","color":"red","source":null}"#, &[("cloudevent.id", "1")])
            .unwrap();
    assert_eq!(event.get("id"), None);
    assert_eq!((event["source"].as_str(), event["type"].as_str()), (Some("Dapr"), Some("com.dapr.event.sent")));
    assert_eq!((&event["traceid"], event.get("traceparent"), &event["color"]), (&json!("mine"), None, &json!("red")));
    for broken in ["", "{\"}", "[1]", "null", "1"] {
        assert!(wrapped(CLOUD_EVENT, broken.as_bytes(), &[]).is_err(), "{broken}");
    }
}

use crate::content_type::CLOUD_EVENT;

/// What is published can be read by whoever gets it.
#[test]
fn deep_data_is_delivered_or_refused() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let (metadata, trace) = (Metadata::new(), Trace::default());
    let wrapped = move |data: &str, content_type: &str| {
        wrap(&Unwrapped {
            app_id: "app",
            pubsub: "broker",
            topic: "orders",
            data: data.as_bytes(),
            content_type,
            metadata: &metadata,
            trace: &trace,
            broker_expires: false,
        })
    };
    let check = move || {
        for (start, end, content_type) in [("", "", "application/json"), ("{\"data\":", "}", CLOUD_EVENT)] {
            let deepest = format!("{start}{}{end}", nested(DEPTH - 1));
            let event = wrapped(&deepest, content_type).unwrap();
            assert!(read(&message(event.to_vec(), None), false, "broker", "orders").is_ok());
            let deeper = format!("{start}{}{end}", nested(DEPTH));
            assert_eq!(wrapped(&deeper, content_type).unwrap_err(), TooDeep.to_string());
        }
    };
    std::thread::Builder::new().stack_size(STACK).spawn(check).unwrap().join().unwrap();
}

#[test]
fn messages_expire() {
    let event = |ttl: &str| wrapped("", b"", &[("ttlInSeconds", ttl)]).unwrap();
    assert!(event("60")["expiration"].as_str().is_some());
    assert_eq!(event("-1").get("expiration"), None);
    assert_eq!(event("soon").get("expiration"), None);
}

fn message(data: Vec<u8>, content_type: Option<String>) -> Message {
    Message { topic: "orders".to_owned(), data: data.into(), content_type, metadata: Metadata::new() }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_wrapped_and_read_again(data in prop::collection::vec(any::<u8>(), 0..200), kind in 0..5_usize) {
        let content_type = ["", "application/json", "application/octet-stream", "text/plain", "application/x-protobuf"][kind];
        let event = wrapped(content_type, &data, &[]).unwrap();
        let again = read(&message(event.to_string().into_bytes(), None), false, "broker", "orders");
        prop_assert!(again.is_ok());
    }

    #[test]
    fn arbitrary_bytes_from_a_broker_break_nothing(data in prop::collection::vec(any::<u8>(), 0..200), raw: bool, content_type: Option<String>) {
        if let Ok(event) = read(&message(data, content_type), raw, "broker", "orders") {
            event.is_expired();
        }
    }

    #[test]
    fn arbitrary_text_as_an_event_breaks_nothing(text in "\\PC*") {
        let _ = wrapped(CLOUD_EVENT, text.as_bytes(), &[("ttl", &text), ("cloudevent.id", &text)]);
    }
}
