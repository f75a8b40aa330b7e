//! What is written by hand is what prost reads, and the other way round.
use super::*;
use proptest::prelude::*;
use prost::Message;
use wire::internals::v1::{InternalInvokeRequest, InternalInvokeRequestStream, InternalInvokeResponse};

fn own() -> Own {
    Own {
        app_id: "caller".to_owned(),
        namespace: "default".to_owned(),
        address: "10.0.0.1".to_owned(),
        host_name: "box".to_owned(),
        internal_port: 50002,
    }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn encoded(head: &Head) -> Bytes {
    let mut out = BytesMut::new();
    put_request(&mut out, head, &own(), &Target::new("callee", "default"), b"data");
    out.freeze()
}

fn values(request: &InternalInvokeRequest, name: &str) -> Vec<String> {
    request.metadata.get(name).map(|list| list.values.clone()).unwrap_or_default()
}

#[test]
fn a_request_is_read_by_others() {
    let head = Head {
        verb: Some(Method::PATCH),
        method: "a/b".to_owned(),
        query: "x=1".to_owned(),
        headers: headers(&[
            ("x-custom", "1"),
            ("x-forwarded-for", "10.9.9.9"),
            ("te", "trailers"),
            ("dapr-caller-app-id", "faked"),
        ]),
        content_type: Some(HeaderValue::from_static("text/plain")),
        ..Head::default()
    };
    let request = InternalInvokeRequest::decode(encoded(&head)).unwrap();
    assert_eq!(values(&request, "X-Custom"), ["1"]);
    assert_eq!(values(&request, "X-Forwarded-For"), ["10.9.9.9", "10.0.0.1"]);
    assert_eq!(values(&request, "Forwarded"), ["for=10.0.0.1;by=10.0.0.1;host=box"]);
    assert_eq!(values(&request, "dapr-caller-app-id"), ["caller"]);
    assert_eq!(values(&request, "destination-app-id"), ["callee"]);
    assert!(values(&request, "Te").is_empty());
    let message = request.message.unwrap();
    assert_eq!((message.method.as_str(), message.content_type.as_str()), ("a/b", "text/plain"));
    assert_eq!(message.data.unwrap().value, b"data".as_slice());
    let extension = message.http_extension.unwrap();
    assert_eq!((extension.verb, extension.querystring.as_str()), (9, "x=1"));
}

#[test]
fn a_request_of_grpc_keeps_names_and_pads_binary_values() {
    let given =
        headers(&[("content-type", "application/grpc"), ("x-thing-bin", "AAE"), ("dapr-authority", "localhost:1")]);
    let head = Head { origin: Origin::Grpc, headers: given, ..Head::default() };
    let bytes = encoded(&head);
    let request = InternalInvokeRequest::decode(bytes.clone()).unwrap();
    assert_eq!(
        (values(&request, "x-thing-bin"), values(&request, ":authority")),
        (vec!["AAE=".to_owned()], vec!["localhost:1".to_owned()])
    );
    let read = decode_request(bytes).unwrap().0;
    assert_eq!(
        (read.origin, &read.headers["dapr-authority"]),
        (Origin::Grpc, &HeaderValue::from_static("localhost:1"))
    );
}

#[test]
fn a_request_is_read_back() {
    let head = Head { verb: Some(Method::GET), headers: headers(&[("x-many", "1")]), ..Head::default() };
    let (read, data) = decode_request(encoded(&head)).unwrap();
    assert_eq!((read.verb, read.origin, data), (Some(Method::GET), Origin::Http, Some(Bytes::from_static(b"data"))));
    assert_eq!(read.headers["dapr-callee-app-id"], "callee");
    assert_eq!(read.headers["x-many"], "1");
}

#[test]
fn an_answer_of_a_grpc_app_keeps_its_details() {
    let any = prost_types::Any { type_url: "type.googleapis.com/x".to_owned(), value: vec![1, 2] };
    let details = wire::google::rpc::Status { code: 5, message: "sorry".to_owned(), details: vec![any] };
    let status = Status::with_details(Code::NotFound, "sorry", details.encode_to_vec().into());
    let answer = Answer {
        outcome: Outcome::Grpc { status, trailers: headers(&[("x-t", "2")]) },
        headers: headers(&[("x-h", "1")]),
        content_type: None,
        type_url: String::new(),
        body: Body::empty(),
    };
    let mut out = BytesMut::new();
    put_response(&mut out, &answer, b"");
    let bytes = out.freeze();
    let response = InternalInvokeResponse::decode(bytes.clone()).unwrap();
    assert_eq!(response.status.unwrap().details.len(), 1);
    assert_eq!(response.trailers["x-t"].values, ["2"]);
    let Outcome::Grpc { status: read, .. } = decode_response(bytes).unwrap().unwrap().0.outcome else {
        panic!("not gRPC")
    };
    assert_eq!(
        (read.code(), read.message(), read.details()),
        (Code::NotFound, "sorry", details.encode_to_vec().as_slice())
    );
}

#[test]
fn an_answer_of_an_http_app_loses_what_belongs_to_its_connection() {
    let given = headers(&[("connection", "x-gone"), ("x-gone", "1"), ("content-length", "9"), ("x-stays", "1")]);
    let answer = Answer {
        outcome: Outcome::Http(StatusCode::IM_A_TEAPOT),
        headers: given,
        content_type: None,
        type_url: String::new(),
        body: Body::empty(),
    };
    let mut out = BytesMut::new();
    put_response(&mut out, &answer, b"");
    let response = InternalInvokeResponse::decode(out.freeze()).unwrap();
    assert_eq!(response.status.unwrap().code, 418);
    assert_eq!(response.headers.keys().collect::<Vec<_>>(), ["X-Stays"]);
}

#[test]
fn a_payload_is_read_by_others() {
    let mut out = BytesMut::new();
    put_payload_start(&mut out, 300, 3);
    out.extend_from_slice(b"abc");
    let payload = InternalInvokeRequestStream::decode(out.freeze()).unwrap().payload.unwrap();
    assert_eq!((payload.seq, payload.data), (300, Bytes::from_static(b"abc")));
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        decode_request(bytes.clone()).ok();
        decode_response(bytes.clone()).ok();
        Piece::decode(bytes).ok();
    }

    #[test]
    fn any_header_survives(name in "[a-z][a-z0-9-]{0,12}", value in "[ -~]{0,20}") {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) else {
            return Ok(());
        };
        let kept = !Skipped::OfRequest.skips(&name, &[]);
        let head = Head { headers: HeaderMap::from_iter([(name.clone(), value.clone())]), ..Head::default() };
        let read = decode_request(encoded(&head)).unwrap().0.headers;
        prop_assert!(!kept || read.get(&name) == Some(&value));
    }
}
