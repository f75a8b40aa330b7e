//! `uppercase`: directions, and characters that are cut in two.
use crate::world::World;
use bytes::Bytes;
use component_api::middleware::{Body, Request};
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use std::convert::Infallible;

#[tokio::test]
async fn the_direction_decides() {
    for (direction, arrived, answered) in [
        (None, "HELLO", "HELLO"),
        (Some("request"), "HELLO", "HELLO"),
        (Some("Response"), "hello", "HELLO"),
        (Some("both"), "HELLO", "HELLO"),
        (Some("sideways"), "HELLO", "HELLO"),
    ] {
        let metadata: Vec<_> = direction.map(|direction| ("direction", direction)).into_iter().collect();
        let world = World::new("uppercase", &metadata).await;
        let answer = world.send(Request::new(Body::from("hello"))).await;
        assert_eq!((world.last().body.as_str(), answer.body.as_str()), (arrived, answered), "{direction:?}");
    }
}

#[tokio::test]
async fn characters_may_come_in_parts() {
    for (text, upper) in [("grüße ñ", "GRÜßE Ñ"), ("ab", "AB"), ("", ""), ("ı", "I")] {
        let world = World::new("uppercase", &[]).await;
        let bytes = text.bytes().map(|byte| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(&[byte]))));
        let body = Body::new(StreamBody::new(stream::iter(bytes.collect::<Vec<_>>())));
        world.send(Request::new(body)).await;
        assert_eq!(world.last().body, upper);
    }
}

#[tokio::test]
async fn a_length_that_may_be_wrong_does_not_travel() {
    let world = World::new("uppercase", &[]).await;
    world.send(http::Request::post("/").header("content-length", "2").body(Body::from("ı")).unwrap()).await;
    assert!(!world.last().headers.contains_key("content-length"));
}
