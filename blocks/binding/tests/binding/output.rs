//! Operations through both transports.
use crate::world::{Fake, World, pairs};
use block_binding::invoke_binding;
use foundation_app::Protocol;
use serde_json::{Value, json};
use std::sync::Arc;
use tonic::Code;
use wire::runtime::v1::InvokeBindingRequest;

async fn world() -> (World, Arc<Fake>) {
    let fake = Fake::output();
    let input = ("input", &[][..], Fake::input());
    let world = World::new(Protocol::Http, &[("out", &[], Arc::clone(&fake)), input]).await;
    (world, fake)
}

fn refusal(reason: &str) -> Value {
    let message = format!("error invoking output binding out: {reason}");
    json!({"errorCode": "ERR_INVOKE_OUTPUT_BINDING", "message": message})
}

fn request(name: &str, operation: &str) -> tonic::Request<InvokeBindingRequest> {
    let (name, operation) = (name.to_owned(), operation.to_owned());
    let metadata = [("own".to_owned(), "1".to_owned())].into();
    let mut request = tonic::Request::new(InvokeBindingRequest { name, operation, data: "x".into(), metadata });
    for (name, value) in [("own", "2"), ("x-call", "3"), ("grpc-custom", "4"), ("traceparent", "5")] {
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn data_goes_out_as_json_and_comes_back_as_it_is() {
    let (world, fake) = world().await;
    let body = r#"{"Operation": "get", "DATA": {"b": 1, "a": "<"}, "metadata": {"k": "v"}}"#;
    let (status, headers, json) = world.http("/v1.0/bindings/out", body).await;
    assert_eq!((status, json), (200, json!({"a": "<", "b": 1})));
    assert_eq!(
        (&headers["metadata.statuscode"], &headers["content-type"]),
        (&"7".parse().unwrap(), &"application/json".parse().unwrap())
    );
    assert_eq!(fake.sent(), [("get".to_owned(), r#"{"a":"\u003c","b":1}"#.to_owned())]);
    assert_eq!(fake.requests.lock().unwrap()[0].metadata, pairs(&[("k", "v"), ("baggage", "a=1")]));
}

#[tokio::test]
async fn an_operation_without_an_answer_has_no_content() {
    let (world, fake) = world().await;
    let (status, _, json) = world.http("/v1.0/bindings/out", r#"{"operation": "create"}"#).await;
    assert_eq!((status, json), (204, Value::Null));
    assert_eq!(fake.sent(), [("create".to_owned(), "null".to_owned())]);
    let answer = invoke_binding(&world.service, request("out", "create")).await.unwrap().into_inner();
    assert!(answer.data.is_empty() && answer.metadata.is_empty());
}

#[tokio::test]
async fn metadata_of_a_grpc_call_is_that_of_the_operation() {
    let (world, fake) = world().await;
    let answer = invoke_binding(&world.service, request("out", "get")).await.unwrap();
    assert_eq!(answer.metadata().get("metadata.statuscode").unwrap(), "7");
    assert_eq!((answer.get_ref().data.as_ref(), answer.get_ref().metadata["statusCode"].as_str()), (&b"x"[..], "7"));
    let expected = [("own", "1"), ("x-call", "3"), ("dapr-grpc-custom", "4"), ("traceparent", "5")];
    assert_eq!(fake.requests.lock().unwrap()[0].metadata, pairs(&expected));
}

#[tokio::test]
async fn failures_are_told_with_their_metadata() {
    let (world, _) = world().await;
    let (status, headers, json) = world.http("/v1.0/bindings/out", r#"{"operation": "fail"}"#).await;
    assert_eq!((status, json), (500, refusal("no luck")));
    assert_eq!(headers["metadata.statuscode"], "7");
    let status = invoke_binding(&world.service, request("out", "fail")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Internal, "error invoking output binding out: no luck"));
    assert_eq!(status.metadata().get("metadata.statuscode").unwrap(), "7");
    assert!(!status.details().is_empty());
}

#[tokio::test]
async fn wrong_calls_are_refused() {
    let (world, fake) = world().await;
    let unsupported = "binding out does not support operation list. supported operations:create get fail refuse";
    for (body, status, expected) in [
        ("{}", 500, refusal("operation field is missing from request")),
        (r#"{"operation": "list"}"#, 500, refusal(unsupported)),
        (r#"{"operation": "refuse"}"#, 500, refusal("refused")),
    ] {
        let (got, _, json) = world.http("/v1.0/bindings/out", body).await;
        assert_eq!((got, json), (status, expected), "{body}");
    }
    for body in ["", "x", "[]", r#"{"operation": "get", "metadata": {"a": 5}}"#] {
        let (got, _, json) = world.http("/v1.0/bindings/out", body).await;
        assert_eq!((got, json["errorCode"].as_str()), (400, Some("ERR_MALFORMED_REQUEST")), "{body}");
    }
    assert_eq!(fake.sent().len(), 1);
}

#[tokio::test]
async fn bindings_that_take_no_operations_are_not_found() {
    let (world, _) = world().await;
    for name in ["input", "nope"] {
        let status = invoke_binding(&world.service, request(name, "create")).await.unwrap_err();
        let message = format!("error invoking output binding {name}: couldn't find output binding {name}");
        assert_eq!((status.code(), status.message()), (Code::Internal, message.as_str()));
    }
    let fake = Fake::output();
    let world = World::new(Protocol::Http, &[("out", &[("direction", "input")], fake)]).await;
    let (_, _, json) = world.http("/v1.0/bindings/out", r#"{"operation": "get"}"#).await;
    assert_eq!(json, refusal("couldn't find output binding out"));
}
